"""Tasks and queues as they were at a position of the log.

A moment is settled first: then nothing at or below the position can change any more, and every question about
it has one answer for ever. Each method takes such a position; the SQL functions refuse any other.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from service.errors import Invalid, NotFound
from service.model.task import Attempt, Task
from service.store.paging import Page, decode_cursor, encode_cursor, to_timestamp
from service.store.pool import Querying
from service.store.queries import load
from service.store.tasks import TaskFilter

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class PastDepth:
    """Tasks of a queue and class (high, medium, low) by status, and whether the queue was paused."""

    queue: str
    task_class: str
    paused: bool
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    timeout: int


async def settle(db: Querying, moment: int | datetime) -> int:
    """The settled position of a moment; of a time, the last one recorded at or before it.

    Raises Conflict while a transaction below the position is open, Invalid when the log has no such position.
    """
    query = SQL.position_at if isinstance(moment, datetime) else SQL.require_settled
    return int(await db.fetchval(query, moment))


def position_of_cursor(cursor: str) -> int:
    """The position that a page of the past was read at. Raises Invalid for another list's cursor."""
    return int(decode_cursor(cursor, int, int, int)[2])


class PastStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def settle(self, moment: int | datetime) -> int:
        """The settled position of a moment. Raises Conflict, Invalid."""
        return await settle(self._db, moment)

    async def recorded_at(self, position: int) -> datetime | None:
        """When the last event up to a position was recorded; None before the first."""
        found: datetime | None = await self._db.fetchval(SQL.recorded_at, position)
        return found

    async def get(self, task_id: str, position: int) -> Task | None:
        """A task as it was; None when it was not enqueued yet, or gone."""
        row = await self._db.fetchrow(SQL.task_at, task_id, position)
        return Task(*row) if row else None

    async def explain_absence(self, task_id: str, position: int) -> NotFound:
        """The error that says why a task was not there."""
        row = await self._db.fetchrow(SQL.absence_of_task, task_id, position)
        if row is None:
            return NotFound(f"Task not found: {task_id}")
        if row["gone"]:
            how = "with its agent" if row["gone"] == "agent.deleted" else "removed by retention"
            return NotFound(
                f"Task {task_id} was gone already at position {position}, {how}.",
                hint="Ask for an earlier position; its events are all there.",
            )
        return NotFound(
            f"Task {task_id} was not yet enqueued at position {position}.",
            hint=f"It was enqueued at position {row['enqueued_position']}.",
        )

    async def attempts(self, task_id: str, position: int) -> list[Attempt]:
        """The runs that had begun, first to last; one that ended later is still running."""
        return [Attempt(*row) for row in await self._db.fetch(SQL.attempts_at, task_id, position)]

    async def queues(self, position: int) -> list[PastDepth]:
        """Queues that had tasks, by name and class."""
        return [PastDepth(*row) for row in await self._db.fetch(SQL.queues_at, position)]

    async def list(
        self, position: int, only: TaskFilter = TaskFilter(), *, limit: int = 50, cursor: str | None = None
    ) -> Page[Task]:
        """Tasks as they were, newest first; `cursor` is the `next` of the page before.

        Raises Invalid for a bad cursor, and for one of another position.
        """
        created_at, enqueued_position, at = (
            decode_cursor(cursor, int, int, int) if cursor else (None, None, None)
        )
        if at not in (None, position):
            raise Invalid(
                f"The cursor belongs to position {at}, not {position}.",
                hint=f"Ask for at={at} on every page.",
            )
        rows = await self._db.fetch(
            SQL.list_tasks_at,
            *(position, only.task_types, only.statuses, only.queue, only.subject, only.since, only.until),
            *(only.text, to_timestamp(created_at), enqueued_position, limit + 1),
        )
        tasks = [Task(*row) for row in rows[:limit]]
        last = tasks[-1] if len(rows) > limit else None
        return Page(tasks, encode_cursor(last.created_at, last.enqueued_position, position) if last else None)

    async def extend_depth_marks(self) -> int:
        """Take the next step in counting the log; gives the position up to which counts are fast.

        A role that only reads counts nothing, and is told 0.
        """
        with suppress(asyncpg.InsufficientPrivilegeError):
            return int(await self._db.fetchval(SQL.extend_depth_marks))
        return 0
