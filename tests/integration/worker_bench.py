"""A worker in this process, on a database of its own, and the log to wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.model.events import Event
from service.model.task import Task
from service.settings import Settings, load
from service.store.log import LogReader
from service.store.wakeups import Wakeup
from service.worker.registry import Registry
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
        self.shutdown = asyncio.Event()
        self._grown: Wakeup = equipment.wakeups.subscribe("annals_events")

    async def enqueue(
        self, task_type: str, /, *, options: dict[str, Any] | None = None, **params: Any
    ) -> str:
        """Enqueue one task as a person would, and ring."""
        draft = {"task_type": task_type, "params": params, **(options or {})}
        (made,) = await self.tasks.enqueue([draft], actor="test", ring=True)
        return made.task_id

    async def until(self, task_id: str, *types: str, count: int = 1, timeout: float = 20.0) -> Event:
        """Wait until the log has the count-th event of one of these types for the task."""
        async with asyncio.timeout(timeout):
            while True:
                self._grown.clear()
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
