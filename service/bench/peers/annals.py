"""Annals: one worker process, concurrency 500, uvloop, durable; everything as the product runs."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from service.bench.peers.peer import OnJob, Payload, Peer
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.fleet import FleetStore
from service.store.migrate import migrate
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.worker.registry import Registry
from service.worker.worker import serve

QUEUE = TASK_TYPE = "bench"
CONCURRENCY = 500
LOOK_SECONDS = 0.01
START_SECONDS = 30.0


class Adapter(Peer):
    """The product's own client and worker."""

    settings = f"uvloop, worker.concurrency={CONCURRENCY}, its whole history kept"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        changes = {"worker.concurrency": CONCURRENCY, "worker.queues": [QUEUE], "log.level": "WARNING"}
        self._settings = load(changes)
        self._registry = Registry()
        self._stack = AsyncExitStack()
        self._shutdown = asyncio.Event()
        self._worker: asyncio.Task[int] | None = None

    async def setup(self) -> None:
        """Migrate, and publish the task type."""
        await asyncio.to_thread(migrate, self.dsn)
        self._register(lambda _: None)
        async with await self._database(1) as db:
            await FleetStore(db).publish_task_types(self._registry.catalogue({}))

    async def open(self, connections: int) -> None:
        """So many connections, and the doorbell's."""
        db = await self._stack.enter_async_context(await self._database(connections + 1))
        self._tasks = TaskStore(db)
        self._doorbell = await self._stack.enter_async_context(Doorbell(db, self._settings.wakeup))

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One transaction, then the doorbell."""
        wanted = [{"task_type": TASK_TYPE, "params": payload} for payload in payloads]
        await self._tasks.enqueue(wanted, actor="bench")
        self._doorbell.ring("annals_tasks", QUEUE)

    async def enqueue_one(self, payload: Payload) -> None:
        """The same for one."""
        await self.enqueue_batch([payload])

    async def start_worker(self, on_job: OnJob) -> None:
        """The product's worker; it works when it says so in the database."""
        self._register(on_job)
        self._worker = asyncio.create_task(serve(self._settings, self.dsn, self._registry, self._shutdown))
        async with asyncio.timeout(START_SECONDS), await self._database(1) as db:
            while not await FleetStore(db).workers(live_only=True):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)

    async def stop_worker(self) -> None:
        """In order, as at SIGTERM."""
        self._shutdown.set()
        if self._worker is not None:
            await self._worker

    async def close(self) -> None:
        """The doorbell and the connections."""
        await self._stack.aclose()

    async def _database(self, connections: int) -> Database:
        room = self._settings.database.model_copy(update={"pool_min": 1, "pool_max": connections})
        return await Database.open(room, self.dsn)

    def _register(self, on_job: OnJob) -> None:
        @self._registry.task(TASK_TYPE, queue=QUEUE, max_attempts=1)
        async def job(ctx: Any) -> None:
            on_job(ctx.params["t"])
