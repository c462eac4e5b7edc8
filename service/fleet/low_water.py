"""Where the tasks that run begin, so that nobody looks for them among those that ended long ago.

Every task that was ever started leaves a dead entry in the index of what runs, until a vacuum takes it. While
a forgotten transaction pins the horizon none goes, and a look from the start reads all of them, each second.
So who looks remembers the lowest started_position that it saw running. Whatever a look does not see and that
runs later was started above the end of the log that was settled before that look, so the mark never passes
that. A full look now and then is the safety net.
"""

from time import monotonic

# A full look may take this share of the time at most.
PAUSE_PER_LOOK = 50
LEAST_PAUSE_SECONDS = 60.0


class LowWater:
    """The mark of one who looks again and again: `begin`, look from there on, then `seen`."""

    def __init__(self) -> None:
        self._mark = self._settled = 0
        self._began = 0.0
        self._full_at = float("-inf")

    def forget(self) -> None:
        """The connection was lost, perhaps to another server, whose log may end before what was seen here."""
        self._settled = 0
        self._full_at = float("-inf")

    def begin(self) -> int:
        """The position from which on to look."""
        self._began = monotonic()
        if self._began >= self._full_at:
            self._mark = 0
        return self._mark

    def seen(self, lowest: int | None, settled: int) -> None:
        """Tell what a look found: the lowest start of what runs, if any, and where the log was settled."""
        if self._mark == 0:
            now = monotonic()
            self._full_at = now + max(LEAST_PAUSE_SECONDS, PAUSE_PER_LOOK * (now - self._began))
        # What the look before this one was told: that of this look may be newer than what it saw.
        end = self._settled + 1
        self._mark = end if lowest is None else min(lowest, end)
        self._settled = settled
