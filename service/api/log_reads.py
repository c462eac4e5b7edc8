"""What the API reads of the log beside what every reader does."""

from collections.abc import Sequence

from service.model.events import Event
from service.store.log import LogReader
from service.store.pool import Querying
from service.store.queries import load

SQL = load("service.api")


class Log(LogReader):
    """Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        super().__init__(db)
        self._querying = db

    async def last_position(self) -> int:
        """The highest position that was ever handed out: no cursor of this log lies beyond it."""
        return int(await self._querying.fetchval(SQL.last_position))

    async def events_at(self, positions: Sequence[int]) -> dict[int, Event]:
        """The events at these positions, by position."""
        rows = await self._querying.fetch(SQL.events_at, positions) if positions else []
        return {event.position: event for event in (Event(*row) for row in rows)}

    async def events_of_retry(self, task_id: str, position: int | None) -> list[Event]:
        """How a task was enqueued, and how it was last started before it was retried at this position."""
        return [Event(*row) for row in await self._querying.fetch(SQL.events_of_retry, task_id, position)]
