"""Low-water marks: where, in each lane, the next claim may start to look.

A scan of a lane from its start wades through every entry that was claimed since the last vacuum, and a
single forgotten transaction keeps all of them. So a worker remembers where its last scan found the first
live row. A mark never passes the settled position read before the claim: what commits later than that
lies at or after the mark. The full look, from the start, finds what a mark could miss: rows that
another worker had locked and then gave back, and times that passed long before their row was committed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from service.model.task import LaneMark

# A full look may take this share of the time at most.
PAUSE_PER_LOOK = 50
# A retry without a delay is due while it is being written, and becomes visible after some that are due later.
STILL_BEING_WRITTEN = timedelta(seconds=1)


class Row(Protocol):
    """What a mark needs to know of a claimed task."""

    @property
    def lane(self) -> int: ...
    @property
    def ready_position(self) -> int | None: ...
    @property
    def run_at(self) -> datetime | None: ...


class Marks:
    """The marks of one claimer. Times are seconds of a monotonic clock, passed in."""

    def __init__(self, longest_pause: float) -> None:
        """`longest_pause`: without a wish, the least seconds between two full looks."""
        self._pause = longest_pause
        self._ready: dict[int, int] = {}
        self._due: dict[int, datetime] = {}
        self._last_look = float("-inf")
        self._last_cost = 0.0
        self._wished = True

    def wish_full_look(self) -> None:
        """Something reappeared at the old end (released, rescued, resumed), or rings were lost."""
        self._wished = True

    def full_look_is_due(self, now: float) -> bool:
        """Wished or not, full looks are paced by what the last one cost."""
        pause = PAUSE_PER_LOOK * self._last_cost
        return now >= self._last_look + (pause if self._wished else max(pause, self._pause))

    def begin(self, now: float) -> list[LaneMark] | None:
        """The marks for a claim that starts now; None for a full look."""
        if self.full_look_is_due(now):
            self._wished = False
            self._last_look = now
            # What the look finds beyond its slots lies before the old marks: they start anew.
            self._ready = dict.fromkeys(self._ready, 0)
            self._due.clear()
            return None
        return [LaneMark(lane, mark, self._due.get(lane)) for lane, mark in self._ready.items()]

    def looked_fully(self, began: float, now: float) -> None:
        """Tell what a full look cost: the pause until the next one follows from it."""
        self._last_look, self._last_cost = now, now - began

    def advance(self, settled: int, rows: Sequence[Row], was_short: bool) -> None:
        """Learn from a claim: the settled position before it, its rows, whether it got less than asked.

        A short claim has seen every lane to its end. One that got all it asked for stopped somewhere:
        only the lanes it took from are known up to the last row of each.
        """
        highest: dict[int, int] = {}
        for row in rows:
            position = row.ready_position
            if position is None:
                self._seen_due(row)
            elif position > highest.get(lane := row.lane, -1):
                highest[lane] = position
        for lane, position in highest.items():
            self._raise(lane, min(position + 1, settled + 1))
        if was_short:
            for lane in self._ready:
                self._raise(lane, settled + 1)

    def _seen_due(self, row: Row) -> None:
        if row.run_at is not None:
            mark = row.run_at - STILL_BEING_WRITTEN
            self._due[row.lane] = max(self._due.get(row.lane, mark), mark)
            self._ready.setdefault(row.lane, 0)

    def _raise(self, lane: int, mark: int) -> None:
        self._ready[lane] = max(self._ready.get(lane, 0), mark)
