"""PgQueuer: asyncpg and uvloop, one QueueManager on a connection of its own, batches of 500, durable tables.

Its table is tuned by its own `optimize_autovacuum`; bulk calls of 5,000.
"""

import asyncio
import json

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver, Driver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from service.bench.peers.peer import OnJob, Payload, Peer

ENTRYPOINT = "bench"
BATCH_SIZE = 500


class Adapter(Peer):
    """Its Queries to enqueue, one PgQueuer to work."""

    settings = (
        f"asyncpg, uvloop, 1 QueueManager, batch_size={BATCH_SIZE}, durable tables, its autovacuum settings"
    )
    batch = 5000
    _worker: "asyncio.Task[None] | None" = None

    async def setup(self) -> None:
        """As `pgq install`, and `pgq autovac`."""
        connection = await asyncpg.connect(self.dsn)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        await queries.optimize_autovacuum()
        await connection.close()

    async def open(self, connections: int) -> None:
        """One connection, or a pool of so many."""
        driver: Driver
        if connections == 1:
            driver = AsyncpgDriver(await asyncpg.connect(self.dsn))
        else:
            pool = await asyncpg.create_pool(self.dsn, min_size=connections, max_size=connections)
            driver = AsyncpgPoolDriver(pool)
        self._queries = Queries(driver)

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One call with lists."""
        number = len(payloads)
        bodies = [json.dumps(payload).encode() for payload in payloads]
        await self._queries.enqueue([ENTRYPOINT] * number, bodies, [0] * number)

    async def enqueue_one(self, payload: Payload) -> None:
        """One call for one."""
        await self._queries.enqueue(ENTRYPOINT, json.dumps(payload).encode())

    async def start_worker(self, on_job: OnJob) -> None:
        """One PgQueuer with one entrypoint."""

        async def bench(job: Job) -> None:
            on_job(json.loads(job.payload)["t"])

        self._manager = PgQueuer(AsyncpgDriver(await asyncpg.connect(self.dsn)))
        self._manager.entrypoint(ENTRYPOINT)(bench)
        self._worker = asyncio.create_task(self._manager.run(batch_size=BATCH_SIZE))

    async def stop_worker(self) -> None:
        """By its shutdown event."""
        if self._worker is not None:
            self._manager.shutdown.set()
            await self._worker
