"""Tasks: one thin method for each SQL function that moves them, and the reads of the queue.

Methods that workers and the API call all the time do not ring (`ring=False`): their caller rings after the
commit, through the Doorbell. What happens now and then (cancel, retry, rescue) rings in its transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.errors import Gone, NotFound
from service.model.task import (
    Attempt,
    Changed,
    Claim,
    ClaimedTask,
    Ended,
    Enqueued,
    LaneMark,
    Place,
    RequestKey,
    Task,
)
from service.store.paging import Page, decode_cursor, encode_cursor, to_timestamp
from service.store.pool import Querying
from service.store.queries import load
from service.store.wire import Json, encode, encode_each

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; None does not restrict. `since` is inclusive, `until` exclusive (created_at).

    `text` is looked for in task_id, task_type, subject and error, in any case.
    """

    task_types: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    queue: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class TaskStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def enqueue(
        self,
        tasks: Sequence[dict[str, Any]] | Json,
        *,
        actor: str,
        correlation_id: str | None = None,
        causation_id: int | None = None,
        trace: str | None = None,
        request: RequestKey | None = None,
        ring: bool = False,
        correlation_ids: Sequence[str | None] | None = None,
    ) -> list[Enqueued]:
        """Enqueue all of them or none; the outcomes come in the order of `tasks`, a list or JSON of one.

        `correlation_ids` gives each task its own, when they come from several requests.

        Ring ("annals_tasks", queue) for each queue of the outcomes afterwards. Raises Invalid for a bad
        task, naming its place in the list, Conflict for a task_id or request key that was used, TooBig.
        """
        rows = await self._db.fetch(
            SQL.enqueue,
            tasks if isinstance(tasks, Json) else list(tasks),
            *(actor, correlation_id, causation_id, trace, request, ring, correlation_ids),
        )
        return [Enqueued._make(row) for row in rows]

    async def claim(
        self,
        worker_id: str,
        queues: Sequence[str],
        task_types: Sequence[str],
        slots: int,
        marks: Iterable[LaneMark] = (),
        *,
        at: datetime | None = None,
    ) -> Claim:
        """Take up to `slots` tasks, in the order high to low class and first in first out within one."""
        rows = await self._db.fetch(SQL.claim, worker_id, queues, task_types, slots, list(marks), at)
        # One row without a task when there was none: the settled position comes anyway.
        found = rows if rows[0][2] is not None else ()
        return Claim(rows[0][0], [ClaimedTask._make(row[2:]) for row in found], rows[0][1])

    async def end_attempts(
        self,
        worker_id: str,
        task_ids: Sequence[str],
        leases: Sequence[int],
        outcomes: Sequence[str],
        details: Sequence[str | Mapping[str, Any]],
        records: Any = None,
        *,
        actor: str | None = None,
        ring: bool = False,
    ) -> list[Ended]:
        """Report how attempts ended; the four sequences go together, row by row.

        `details` are mappings, or such as JSON text; `records` may be encoded too (wire.Json). Answered is
        only what did not complete, in no order. Where one is retry_scheduled, released or snoozed, ring
        ("annals_tasks", queue + "!").
        """
        texts = [detail if isinstance(detail, str) else encode(detail) for detail in details]
        rows = await self._db.fetch(
            SQL.end_attempts, worker_id, task_ids, leases, outcomes, texts, records, actor, ring
        )
        return [Ended(*row) for row in rows]

    async def progress(
        self,
        worker_id: str,
        task_ids: Sequence[str],
        leases: Sequence[int],
        percentages: Sequence[float | None],
        steps: Sequence[str | None],
        checkpoints: Sequence[Any],
        *,
        actor: str | None = None,
        ring: bool = False,
    ) -> list[Ended]:
        """Report how far attempts have come: progressed, cancellation_requested, lease_lost, not_found."""
        rows = await self._db.fetch(
            SQL.progress,
            *(worker_id, task_ids, leases, percentages, steps, encode_each(checkpoints), actor, ring),
        )
        return [Ended(*row) for row in rows]

    async def cancel(
        self,
        task_ids: Sequence[str],
        reason: str | None = None,
        *,
        actor: str,
        request: RequestKey | None = None,
        ring: bool = True,
    ) -> list[Changed]:
        """Cancel tasks, each by itself: pending ones end at once, running ones are asked to stop."""
        rows = await self._db.fetch(SQL.cancel, task_ids, reason, actor, request, ring)
        return [Changed(*row) for row in rows]

    async def retry(
        self,
        task_ids: Sequence[str],
        reason: str | None = None,
        *,
        actor: str,
        request: RequestKey | None = None,
        ring: bool = True,
    ) -> list[Changed]:
        """Return failed, timed-out and cancelled tasks to the queue, with their failures reset."""
        rows = await self._db.fetch(SQL.retry, task_ids, reason, actor, request, ring)
        return [Changed(*row) for row in rows]

    async def rescue(
        self,
        worker_id: str,
        seen_at: datetime | None,
        max_rescues: int = 3,
        *,
        actor: str,
        ring: bool = True,
        last_change: int | None = None,
    ) -> list[Ended]:
        """Take the tasks of a worker whose sign of life is still the one of `seen_at`; else do nothing.

        `seen_at` is None for a name that no worker registered; `last_change` is the newest changed_position
        of its tasks that was seen, and must still be.
        """
        rows = await self._db.fetch(SQL.rescue, worker_id, seen_at, max_rescues, actor, ring, last_change)
        return [Ended(*row) for row in rows]

    async def expire(
        self, task_ids: Sequence[str], leases: Sequence[int], *, relay_id: str, term: int
    ) -> list[Ended]:
        """End attempts that are past their deadline, as the relay that leads. Raises LeaseLost.

        Outcomes are retry_scheduled, timeout and cancelled; left_alone for what has changed meanwhile.
        """
        rows = await self._db.fetch(SQL.expire, task_ids, leases, relay_id, term)
        return [Ended(*row) for row in rows]

    async def cancellations(self, task_ids: Sequence[str]) -> set[str]:
        """Those of these tasks that are to stop: asked to, or gone with their agent."""
        return {row[0] for row in await self._db.fetch(SQL.cancellations, task_ids)}

    async def get(self, task_id: str) -> Task | None:
        """One task; None when there is none, or it was removed by retention."""
        row = await self._db.fetchrow(SQL.task, task_id)
        return Task(*row) if row else None

    async def absence(self, task_id: str, history: str) -> NotFound:
        """The error that says why a task has no row; `history` tells where its events are, should they be."""
        try:
            await self._db.fetchval(SQL.missing_task, task_id)
        except Gone as error:
            return Gone(f"{error.message}.", hint=f"Its history is kept: {history}")
        except NotFound as error:
            return error
        return NotFound(f"Task not found: {task_id}")

    async def attempts(self, task_id: str) -> list[Attempt]:
        """Its runs, the open one included, first to last."""
        return [Attempt(*row) for row in await self._db.fetch(SQL.attempts, task_id)]

    async def list(
        self, only: TaskFilter = TaskFilter(), *, limit: int = 50, cursor: str | None = None
    ) -> Page[Task]:
        """Tasks, newest first; `cursor` is the `next` of the page before. Raises Invalid for a bad cursor."""
        created_at, position = decode_cursor(cursor, int, int) if cursor else (None, None)
        rows = await self._db.fetch_planned(
            SQL.list_tasks,
            *(only.task_types, only.statuses, only.queue, only.subject, only.since, only.until, only.text),
            *(to_timestamp(created_at), position, limit + 1),
        )
        tasks = [Task(*row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(tasks, encode_cursor(tasks[-1].created_at, tasks[-1].enqueued_position) if more else None)

    async def queue_position(self, task_id: str) -> Place:
        """Where a task stands in its queue, and when it may be done."""
        row = await self._db.fetchrow(SQL.queue_position, task_id)
        return Place(*row) if row else Place(None, True, None)
