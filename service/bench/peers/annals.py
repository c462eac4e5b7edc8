"""Annals: one worker process, concurrency 500, uvloop, durable; everything as the product runs.

Enqueued with the client of Python programs, whose bulk call takes at most 5,000.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from service.bench.peers.peer import OnJob, Payload, Peer
from service.settings import load
from service.store.client import annals_client
from service.store.fleet import FleetStore
from service.store.migrate import migrate
from service.store.pool import Database
from service.worker.registry import Registry
from service.worker.worker import serve

QUEUE = TASK_TYPE = "bench"
CONCURRENCY = 500
LOOK_SECONDS = 0.01
START_SECONDS = 30.0


class Adapter(Peer):
    """The product's own client and worker."""

    settings = f"uvloop, worker.concurrency={CONCURRENCY}, its whole history kept"
    batch = 5000

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
        async with await self._database() as db:
            await FleetStore(db).publish_task_types(self._registry.catalogue({}))

    async def open(self, connections: int) -> None:
        """The client of Python programs, which has as many connections as it is configured to."""
        self._client = await self._stack.enter_async_context(annals_client(self.dsn, name="bench"))

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One transaction."""
        await self._client.enqueue_many([{"task_type": TASK_TYPE, "params": payload} for payload in payloads])

    async def enqueue_one(self, payload: Payload) -> None:
        """One task; those that come at the same time are written together."""
        await self._client.enqueue(TASK_TYPE, payload)

    async def start_worker(self, on_job: OnJob) -> None:
        """The product's worker; it works when it says so in the database."""
        self._register(on_job)
        self._worker = asyncio.create_task(serve(self._settings, self.dsn, self._registry, self._shutdown))
        async with asyncio.timeout(START_SECONDS), await self._database() as db:
            while not await FleetStore(db).workers(live_only=True):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)

    async def stop_worker(self) -> None:
        """In order, as at SIGTERM."""
        self._shutdown.set()
        if self._worker is not None:
            await self._worker

    async def close(self) -> None:
        """The client."""
        await self._stack.aclose()

    async def _database(self) -> Database:
        room = self._settings.database.model_copy(update={"pool_min": 1, "pool_max": 1})
        return await Database.open(room, self.dsn)

    def _register(self, on_job: OnJob) -> None:
        @self._registry.task(TASK_TYPE, queue=QUEUE, max_attempts=1)
        async def job(ctx: Any) -> None:
            on_job(ctx.params["t"])
