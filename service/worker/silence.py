"""Who has been silent for too long, as far as one has seen oneself.

The age of a sign of life says nothing after an outage: everybody's is old then. What counts is silence that
the observer has watched, without a gap in its own watching.
"""

from collections.abc import Mapping
from datetime import datetime


class Silence:
    """Watches signs of life. Times of watching are seconds of a monotonic clock, passed in."""

    def __init__(self, lost_after: float, longest_gap: float) -> None:
        """Lost after `lost_after` seconds; a pause of `longest_gap` in the watching starts it anew."""
        self._lost_after, self._longest_gap = lost_after, longest_gap
        self._last_look = float("-inf")
        self._since: dict[str, tuple[datetime, float]] = {}

    def forget(self) -> None:
        """The watching was interrupted: all silence counts from the next look."""
        self._since.clear()

    def look(self, now: float, seen_at: Mapping[str, datetime]) -> list[tuple[str, datetime]]:
        """Take the last sign of life of each worker; gives those that are lost, with that sign."""
        if now - self._last_look > self._longest_gap:
            self.forget()
        self._last_look = now
        self._since = {
            worker: known if (known := self._since.get(worker)) and known[0] == at else (at, now)
            for worker, at in seen_at.items()
        }
        lost = [
            (worker, at) for worker, (at, since) in self._since.items() if now - since >= self._lost_after
        ]
        for worker, _ in lost:
            del self._since[worker]
        return lost
