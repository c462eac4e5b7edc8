"""The client of Python programs: tasks are enqueued from any number of coroutines, without a worker.

    async with annals_client("postgresql://annals@localhost/annals") as client:
        task_id = await client.enqueue("resize_image", {"widths": [320, 640]}, priority=2)

Calls that run at the same time share statements and commits, so give them time to: `asyncio.gather`, or a
server's own concurrency. Each returns after the commit that holds its task; workers are woken after that.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Required, TypedDict, Unpack

import asyncpg

from service.errors import Conflict, SettingsError
from service.model.task import Enqueued
from service.settings import Settings, load
from service.store.doorbell import Doorbell
from service.store.grouping import Grouping
from service.store.pool import Database
from service.store.queries import load as queries
from service.store.tasks import TaskStore
from service.urls import check_webhook_urls

SQL = queries(__package__)


class TaskOptions(TypedDict, total=False):
    """What may be said of a task; what is left out comes from the catalogue of task types."""

    queue: str
    priority: int
    subject: str
    max_attempts: int
    backoff: Mapping[str, Any]
    timeout_seconds: float
    run_at: datetime | str
    unique_key: str
    unique_states: Sequence[str]
    webhook_url: str
    task_id: str


class TaskDraft(TaskOptions, total=False):
    """A task to enqueue."""

    task_type: Required[str]
    params: Mapping[str, Any] | None


class Client:
    """Made by `annals_client`; belongs to one event loop.

    Every method raises Invalid for what does not fit, TooBig, NotFound when the subject is not there,
    Conflict for a task_id that was used, and DatabaseUnavailable: then nobody knows whether it was written,
    and a `unique_key` or `task_id` makes it safe to say it again.
    """

    def __init__(self, settings: Settings, db: Database, doorbell: Doorbell, actor: str) -> None:
        self._settings, self._doorbell, self._actor = settings, doorbell, actor
        self._tasks = TaskStore(db)
        self._grouping = Grouping(self._tasks, self._after_commit)

    async def enqueue(
        self,
        task_type: str,
        params: Mapping[str, Any] | None = None,
        *,
        correlation_id: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> str:
        """Enqueue one task and give its id; for a unique_key that an open task has, the id of that one.

        A `run_at` without an offset is UTC. `correlation_id` is what its events carry.
        """
        task = _plain({"task_type": task_type, "params": params or {}, **options})
        await self._check([task])
        return await self._grouping.enqueue(task, actor=self._actor, correlation_id=correlation_id)

    async def enqueue_many(
        self, tasks: Sequence[TaskDraft], *, correlation_id: str | None = None
    ) -> list[str]:
        """Enqueue up to 5,000 tasks in one transaction, all of them or none; gives their ids in order."""
        plain = [_plain(task) for task in tasks]
        await self._check(plain)
        outcomes = await self._tasks.enqueue(plain, actor=self._actor, correlation_id=correlation_id)
        return list(await self._after_commit(outcomes))

    async def _check(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        if any("webhook_url" in task for task in tasks):
            await check_webhook_urls(tasks, allow_localhost=self._settings.webhooks.allow_http_localhost)

    async def _after_commit(self, outcomes: Sequence[Enqueued]) -> Sequence[str]:
        for queue in {outcome.queue for outcome in outcomes}:
            self._doorbell.ring("annals_tasks", queue)
        self._doorbell.ring("annals_events")
        return [outcome.task_id for outcome in outcomes]


@asynccontextmanager
async def annals_client(dsn: str | None = None, *, name: str | None = None) -> AsyncIterator[Client]:
    """A client of the database at `dsn`, or of DATABASE_URL; the events it writes say `client:<name>`.

    Without a name the database role stands there. The connections are bounded by `database.pool_max`. Raises
    DatabaseUnavailable, SettingsError without an address, and Conflict for a database that was not migrated.
    """
    settings = load({"database.url": dsn} if dsn else {})
    address = settings.database.url
    if not address:
        raise SettingsError("No database was named.", hint="Give its DSN; `annals dsn` prints one.")
    async with (
        await Database.open(settings.database, address) as db,
        Doorbell(db, settings.wakeup) as doorbell,
    ):
        role = await _role(db)
        yield Client(settings, db, doorbell, f"client:{name or role}")


async def _role(db: Database) -> str:
    try:
        found = await db.fetchval(SQL.default_actor)
    except asyncpg.UndefinedFunctionError as error:
        raise Conflict("The database is not at this release's schema.", hint="annals migrate") from error
    return str(found).partition(":")[2]


def _plain(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task as it is stored: a time in UTC unless it says otherwise."""
    plain = {name: value for name, value in task.items() if value is not None}
    if isinstance(at := plain.get("run_at"), datetime):
        plain["run_at"] = (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
    return plain
