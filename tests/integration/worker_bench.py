"""A worker in this process, on a database of its own, and the log to wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from service.errors import DatabaseUnavailable
from service.model.events import Event
from service.model.task import Task
from service.settings import Settings, load
from service.store.fleet import FleetStore, WorkerRow
from service.store.log import LogReader
from service.store.pool import Database
from service.store.wakeups import Wakeup
from service.worker.registry import DEFAULT, Registry
from service.worker.worker import Equipment, Worker, equip

QUICK = {
    "worker.queues": ["default"],
    "worker.concurrency": 20,
    "worker.progress_min_seconds": 0.0,
    "database.pool_max": 4,
}
ENDED = {"task.completed", "task.failed", "task.timed_out", "task.cancelled"}


class Bench:
    """What tests do with a running worker: enqueue, and wait for the log."""

    def __init__(self, settings: Settings, worker: Worker, equipment: Equipment) -> None:
        self.settings, self.worker, self.equipment = settings, worker, equipment
        self.tasks = worker.tasks
        self.log = LogReader(equipment.machinery)
        self.fleet = FleetStore(equipment.machinery)
        self.code: int | None = None
        self.shutdown = asyncio.Event()
        self._grown: Wakeup = equipment.wakeups.subscribe("annals_events")

    async def enqueue(
        self, task_type: str, /, *, options: dict[str, Any] | None = None, **params: Any
    ) -> str:
        """Enqueue one task as a person would, and ring."""
        draft = {"task_type": task_type, "params": params, **(options or {})}
        (made,) = await self.tasks.enqueue([draft], actor="test", ring=True)
        return made.task_id

    async def enqueue_many(self, task_type: str, number: int) -> list[str]:
        """Enqueue tasks with params {n: 0..number-1}."""
        drafts = [{"task_type": task_type, "params": {"n": n}} for n in range(number)]
        return [made.task_id for made in await self.tasks.enqueue(drafts, actor="test", ring=True)]

    async def count(self, event_type: str) -> int:
        """How many events of a type there are."""
        return len([e for e in await self.log.events_after(0, 1_000_000) if e.type == event_type])

    async def until_count(self, event_type: str, number: int, timeout: float = 30.0) -> None:
        """Wait until there are so many events of a type."""
        async with asyncio.timeout(timeout):
            while True:
                self._grown.clear()
                if await self.count(event_type) >= number:
                    return
                await self._grown.wait(0.2)

    async def until_published(self, task_type: str, timeout: float = 20.0) -> None:
        """Wait until a worker that has this type has registered."""
        async with asyncio.timeout(timeout):
            while not any(task_type in w.task_types for w in await self.fleet.workers(live_only=True)):
                self._grown.clear()
                await self._grown.wait(0.1)

    async def until_live(self, number: int, among_not: frozenset[int] | set[int] = frozenset()) -> set[int]:
        """Wait until so many other workers live, not counting some; gives their process ids."""
        mine = self.worker.identity.worker_id
        async with asyncio.timeout(30):
            while True:
                self._grown.clear()
                live = {w.pid for w in await self.fleet.workers(live_only=True) if w.worker_id != mine}
                if len(live - among_not) >= number:
                    return live - among_not
                await self._grown.wait(0.1)

    async def workers_afterwards(self, database: str) -> list[WorkerRow]:
        """The workers as the database knows them, also after the bench has ended."""
        async with await Database.open(self.settings.database, database) as db:
            return await FleetStore(db).workers()

    async def until(self, task_id: str, *types: str, count: int = 1, timeout: float = 20.0) -> Event:
        """Wait until the log has the count-th event of one of these types for the task."""
        async with asyncio.timeout(timeout):
            while True:
                self._grown.clear()
                # A test may have cut the connection; the next look takes another.
                with suppress(DatabaseUnavailable):
                    found = [e for e in await self.log.stream("task", task_id) if e.type in types]
                    if len(found) >= count:
                        return found[count - 1]
                await self._grown.wait(0.2)

    async def outcome(self, task_id: str, timeout: float = 20.0) -> Task:
        """The task, once it has ended."""
        await self.until(task_id, *ENDED, timeout=timeout)
        task = await self.tasks.get(task_id)
        assert task is not None
        return task

    async def life(self, task_id: str) -> list[str]:
        """The types of its events, in order."""
        return [event.type for event in await self.log.stream("task", task_id)]


def with_shared_tasks() -> Registry:
    """A registry with the handlers of worker_tasks, which other processes can import."""
    from tests.integration import worker_tasks

    return Registry(kind for kind in DEFAULT if kind.handler.__module__ == worker_tasks.__name__)


@asynccontextmanager
async def running(database: str, registry: Registry, **overrides: object) -> AsyncIterator[Bench]:
    """A worker that runs until the end of the block; overrides are given as worker__name=value."""
    paths = {name.replace("__", "."): value for name, value in overrides.items()}
    settings = load(QUICK | paths)
    async with equip(settings, database) as equipment:
        worker = Worker(settings, registry, equipment)
        bench = Bench(settings, worker, equipment)
        run = asyncio.create_task(worker.run(bench.shutdown))
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            yield bench
        finally:
            bench.shutdown.set()
            bench.code = await run
