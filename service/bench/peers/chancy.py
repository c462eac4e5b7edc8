"""Chancy: psycopg's pool and uvloop, its async executor with eager polling.

Results are sent every 50 ms instead of every second.
"""

import asyncio
import logging
from typing import Any

from chancy import Chancy, Queue, Worker, job

from service.bench.peers.peer import OnJob, Payload, Peer

CONCURRENCY = 1000
FLUSH_SECONDS = 0.05
# The job is found by the name of its function, so what it calls has its place in the module.
on_jobs: list[OnJob] = []


async def bench(*, t: float, i: int, pad: str) -> None:
    """What a job does."""
    on_jobs[0](t)


bench_job: Any = job(queue="bench")(bench)
# Its worker imports the function by this name and wants the decorated one.
bench = bench_job


class Adapter(Peer):
    """A Chancy to push, another to work."""

    settings = (
        f"psycopg 3, uvloop, async executor, concurrency={CONCURRENCY}, polling_interval=1, eager_polling, "
        f"send_outgoing_interval={FLUSH_SECONDS}"
    )
    _worker: Any = None

    async def setup(self) -> None:
        """Its migrations, and one queue."""
        async with self._chancy(1) as chancy:
            await chancy.migrate()
            executor = Chancy.Executor.Async
            options = {"concurrency": CONCURRENCY, "polling_interval": 1, "eager_polling": True}
            await chancy.declare(Queue("bench", executor=executor, **options))

    async def open(self, connections: int) -> None:
        """A pool of so many."""
        self._client = self._chancy(connections)
        await self._client.__aenter__()

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One push_many."""
        jobs = [bench_job.job.with_kwargs(**payload) for payload in payloads]
        async for _ in self._client.push_many(jobs, batch_size=self.batch):
            pass

    async def enqueue_one(self, payload: Payload) -> None:
        """One push."""
        await self._client.push(bench_job.job.with_kwargs(**payload))

    async def start_worker(self, on_job: OnJob) -> None:
        """One worker with its default plugins."""
        on_jobs[:] = [on_job]
        self._working = self._chancy(2)
        await self._working.__aenter__()
        self._worker = Worker(self._working, register_signal_handlers=False)
        self._worker.send_outgoing_interval = FLUSH_SECONDS
        await self._worker.start()

    async def stop_worker(self) -> None:
        """In order, after the last results were sent."""
        if self._worker is not None:
            await asyncio.sleep(2 * FLUSH_SECONDS)
            await self._worker.stop()

    def _chancy(self, connections: int) -> Any:
        log = logging.getLogger("chancy")
        log.setLevel(logging.WARNING)
        most = max(10, connections)
        return Chancy(self.dsn, log=log, min_connection_pool_size=connections, max_connection_pool_size=most)
