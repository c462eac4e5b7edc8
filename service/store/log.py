"""Reading the log, in order and without gaps.

Positions are handed out before commit: an event below the newest one may still appear. Whoever follows the
log reads settled events only (`events_after`, `search`); a stream by itself is complete at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.model.events import Event
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
# A search for rare events reads this many positions at a time, so that each call takes a bounded time.
STRETCH = 50_000


@dataclass(frozen=True, slots=True)
class Found:
    """Events of a search, and how far it has looked: the `after` of the next call.

    `position` may lie beyond the last event, and there may be more even if there are none here; the search is
    up to date when `position` equals `settled`.
    """

    events: list[Event]
    position: int
    settled: int


class LogReader:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def head(self) -> int:
        """The highest position that is committed; 0 for an empty log."""
        return int(await self._db.fetchval(SQL.head))

    async def stable_position(self) -> int:
        """The settled end: no event at or below it can appear later. Raises Conflict on a standby."""
        return int(await self._db.fetchval(SQL.stable_position))

    async def epoch(self) -> str:
        """The identity of this log; a cursor kept outside the database carries it."""
        return str(await self._db.fetchval(SQL.epoch))

    async def events_after(self, position: int, limit: int = 1000) -> list[Event]:
        """The next settled events, in order."""
        return [Event(*row) for row in await self._db.fetch(SQL.events_after, position, limit)]

    async def search(
        self,
        after: int,
        limit: int = 100,
        *,
        types: Sequence[str] | None = None,
        stream_type: str | None = None,
        stream_id: str | None = None,
    ) -> Found:
        """The next settled events that match, and how far the search has come; `types` are LIKE patterns."""
        settled = await self.stable_position()
        until = settled if stream_id else min(settled, after + STRETCH)
        rows = await self._db.fetch_planned(
            SQL.events_between, after, until, types, stream_type, stream_id, limit
        )
        events = [Event(*row) for row in rows]
        reached = events[-1].position if len(events) == limit else max(until, after)
        return Found(events, reached, settled)

    async def event(self, position: int) -> Event | None:
        """The event at a position; None where a transaction was rolled back, or beyond the head."""
        row = await self._db.fetchrow(SQL.event, position)
        return Event(*row) if row else None

    async def stream(
        self, stream_type: str, stream_id: str, after_version: int = 0, limit: int = 10_000
    ) -> list[Event]:
        """The events of one stream, in order; empty for a stream that does not exist."""
        rows = await self._db.fetch(SQL.stream, stream_type, stream_id, after_version, limit)
        return [Event(*row) for row in rows]
