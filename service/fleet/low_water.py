"""Where the tasks that run begin, so that nobody looks for them among those that ended long ago.

Every task that was ever started leaves a dead entry in the index of what runs, until a vacuum takes it. While
a forgotten transaction pins the horizon none goes, and a look from the start reads all of them, each second.
So who looks remembers the lowest started_position that it saw running. Whatever starts later is above the end
of the log that was settled before the look, so the mark never passes that. A full look now and then is the
safety net.
"""

from time import monotonic

from service.errors import Conflict, DatabaseUnavailable
from service.store.log import LogReader
from service.store.pool import Querying

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
        self._full_at = float("-inf")

    async def begin(self, db: Querying) -> int:
        """The position from which on to look. Raises DatabaseUnavailable."""
        try:
            # Before the look: what is committed during it, and not seen by it, lies above.
            self._settled = await LogReader(db).stable_position()
        except Conflict as error:
            raise DatabaseUnavailable("The server is a standby.", hint=error.message) from error
        self._began = monotonic()
        if self._began >= self._full_at:
            self._mark = 0
        return self._mark

    def seen(self, lowest: int | None) -> None:
        """Tell the lowest started_position of what runs; None when nothing does."""
        if self._mark == 0:
            cost = monotonic() - self._began
            self._full_at = monotonic() + max(LEAST_PAUSE_SECONDS, PAUSE_PER_LOOK * cost)
        end = self._settled + 1
        self._mark = end if lowest is None else min(lowest, end)
