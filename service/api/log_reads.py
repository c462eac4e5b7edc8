"""What the API reads of the log beside what every reader does."""

from collections.abc import Sequence

from service.model.events import Event
from service.model.task import Enqueued
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

    async def events_of(self, outcomes: Sequence[Enqueued]) -> list[Event | None]:
        """The task.enqueued event of each outcome, in their order; None for a duplicate."""
        positions = [outcome.position for outcome in outcomes if outcome.position is not None]
        rows = await self._querying.fetch(SQL.events_at, positions) if positions else []
        events = {row[0]: Event(*row) for row in rows}
        return [None if outcome.position is None else events[outcome.position] for outcome in outcomes]

    async def events_of_retry(self, task_id: str, position: int | None) -> list[Event]:
        """How a task was enqueued, and how it was last started before it was retried at this position."""
        return [Event(*row) for row in await self._querying.fetch(SQL.events_of_retry, task_id, position)]
