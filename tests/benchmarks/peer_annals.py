"""Annals under the workloads that other queues are measured with: a peer of the shared harness.

    BENCH_COMMON=/path/to/bench python tests/benchmarks/peer_annals.py --workload W13,W2,W4,W5 --dsn postgresql://...

BENCH_COMMON names the directory of the harness, whose `common.py` drives this file. The database of the DSN
is dropped and made anew. One worker process, 500 slots, batches of 1,000; everything as the product runs.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), os.environ.get("BENCH_COMMON", ".")]

import common  # type: ignore[import-not-found]  # noqa: E402

from service import annals_client  # noqa: E402
from service.settings import load  # noqa: E402
from service.store.doorbell import Doorbell  # noqa: E402
from service.store.fleet import FleetStore  # noqa: E402
from service.store.migrate import migrate  # noqa: E402
from service.store.pool import Database  # noqa: E402
from service.store.tasks import TaskStore  # noqa: E402
from service.worker.registry import Registry  # noqa: E402
from service.worker.worker import serve  # noqa: E402

QUEUE = TASK_TYPE = "bench"
CONCURRENCY = int(os.environ.get("WORKERS", 500))
LEFT = "select count(*) from background_tasks where status in ('pending', 'running')"


class Peer(common.Peer):  # type: ignore[misc]
    """Annals as the harness drives it: one object in each of its processes."""

    batch = int(os.environ.get("EBATCH", 1000))
    settings = f"one worker process, uvloop, concurrency={CONCURRENCY}, durable, full history"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        changes = {"worker.concurrency": CONCURRENCY, "worker.queues": [QUEUE], "log.level": "WARNING"}
        self._settings = load(changes)
        self._registry = Registry()
        self._stack = AsyncExitStack()
        self._shutdown = asyncio.Event()
        self._worker: asyncio.Task[int] | None = None

    async def setup(self) -> None:
        """Migrate the empty database and publish the task type."""
        await asyncio.to_thread(migrate, self.dsn)

        @self._registry.task(TASK_TYPE, queue=QUEUE, max_attempts=1)
        async def noop(ctx: Any) -> None:
            """Do nothing."""

        await self._connect(2)
        await FleetStore(self._db).publish_task_types(self._registry.catalogue({}))

    async def open(self, conns: int) -> None:
        """Connect to enqueue, over so many connections."""
        await self._connect(conns)

    async def enqueue_batch(self, payloads: list[dict[str, Any]]) -> None:
        """One transaction, then the doorbell."""
        await self._tasks.enqueue(
            [{"task_type": TASK_TYPE, "params": payload} for payload in payloads], actor="bench"
        )
        self._doorbell.ring("annals_tasks", QUEUE)

    async def enqueue_one(self, payload: dict[str, Any]) -> None:
        """One task, as a Python program enqueues it: it has its commit when this returns."""
        await self._client.enqueue(TASK_TYPE, payload)

    async def start_worker(self, on_job: Callable[[float], None]) -> None:
        """Start the product's worker in this process; `on_job` is all that the handler does."""

        @self._registry.task(TASK_TYPE, queue=QUEUE, max_attempts=1)
        async def job(ctx: Any) -> None:
            on_job(ctx.params["t"])

        self._worker = asyncio.create_task(serve(self._settings, self.dsn, self._registry, self._shutdown))
        # The harness wants a worker that works: it says so itself, in the database.
        await self._connect(2)
        async with asyncio.timeout(30):
            while not await FleetStore(self._db).workers(live_only=True):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def stop_worker(self) -> None:
        """End it in order, when there is one."""
        self._shutdown.set()
        if self._worker is not None:
            await self._worker

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def _connect(self, connections: int) -> None:
        if not hasattr(self, "_db"):
            room = self._settings.database.model_copy(update={"pool_min": 1, "pool_max": connections})
            self._db = await self._stack.enter_async_context(await Database.open(room, self.dsn))
            self._tasks = TaskStore(self._db)
            client = annals_client(self.dsn, name="bench")
            self._client = await self._stack.enter_async_context(client)
            doorbell = Doorbell(self._db, self._settings.wakeup)
            self._doorbell = await self._stack.enter_async_context(doorbell)


if __name__ == "__main__":
    common.main(Peer, "annals", LEFT)
