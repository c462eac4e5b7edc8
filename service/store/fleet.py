"""Workers, queues and the catalogue of task types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process; `status` is live, stopped or lost."""

    worker_id: str
    status: str
    host: str
    pid: int
    queues: list[str]
    task_types: list[str]
    concurrency: int
    code_version: str | None
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    reason: str | None
    running: int


@dataclass(frozen=True, slots=True)
class TaskType:
    """A type of the catalogue in its current version; `served` tells whether a live worker has a handler."""

    task_type: str
    code_version: str
    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    backoff: dict[str, Any]
    run_in: str
    params_schema: dict[str, Any] | None
    description: str | None
    owner: str | None
    subject_type: str | None
    subject_param: str | None
    limit_group: str
    published_at: datetime
    other_versions: list[str]
    served: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many tasks of a queue and class (high, medium, low) could run now, wait for a time, and run."""

    queue: str
    task_class: str
    paused: bool
    ready: int
    waiting: int
    running: int
    oldest_ready_at: datetime | None


class FleetStore:
    """Over a pool, or one session (a worker renews over its own). May raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def start_worker(
        self,
        worker_id: str,
        *,
        host: str,
        pid: int,
        queues: Sequence[str],
        task_types: Sequence[str],
        concurrency: int,
        code_version: str | None = None,
    ) -> int:
        """Register a worker process; gives the position of its worker.started event."""
        return int(
            await self._db.fetchval(
                SQL.start_worker, worker_id, host, pid, queues, task_types, concurrency, code_version
            )
        )

    async def renew_worker(
        self,
        worker_id: str,
        busy_slots: int = 0,
        loop_lag_seconds: float = 0.0,
        working_seconds: float | None = None,
    ) -> bool:
        """A sign of life; False when the worker was given up for dead: it must stop its handlers.

        `working_seconds` is for how long the longest of its attempts runs; None when none does.
        """
        signs = busy_slots, loop_lag_seconds, working_seconds
        return bool(await self._db.fetchval(SQL.renew_worker, worker_id, *signs))

    async def stop_worker(self, worker_id: str, reason: str = "shutdown") -> None:
        """Farewell; nothing happens to one that is not live."""
        await self._db.fetchval(SQL.stop_worker, worker_id, reason)

    async def workers(self, *, live_only: bool = False) -> list[WorkerRow]:
        """Worker processes, the newest first, with how many tasks each runs; at most 1000."""
        return [WorkerRow(*row) for row in await self._db.fetch(SQL.workers, live_only)]

    async def publish_task_types(self, types: Sequence[dict[str, Any]]) -> int:
        """Put types into the catalogue, where this version becomes current; gives how many changed."""
        return int(await self._db.fetchval(SQL.publish_task_types, list(types)))

    async def task_types(self) -> list[TaskType]:
        """The catalogue, by name."""
        return [TaskType(*row) for row in await self._db.fetch(SQL.task_types)]

    async def queues(self) -> list[QueueDepth]:
        """The depth of every queue that ever had a task, by name and class."""
        return [QueueDepth(*row) for row in await self._db.fetch(SQL.queues)]

    async def pause_queue(self, queue: str, reason: str | None = None, *, actor: str) -> int | None:
        """Stop claims from a queue; gives the event's position, None when it was paused already."""
        position = await self._db.fetchval(SQL.pause_queue, queue, reason, actor)
        return None if position is None else int(position)

    async def resume_queue(self, queue: str, reason: str | None = None, *, actor: str) -> int | None:
        """Let claims go on, and wake the queue's workers; None when it was not paused."""
        position = await self._db.fetchval(SQL.resume_queue, queue, reason, actor)
        return None if position is None else int(position)
