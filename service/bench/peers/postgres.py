"""PostgreSQL itself: a table, inserts, and a worker that takes 100 rows by UPDATE and then deletes them.

No queue could do less, so this is the limit that the machine sets: no retries, no history, no order among
priorities, nobody notices a worker that died. NOTIFY comes after the commit, one for all that came meanwhile.
"""

import asyncio
import json
from typing import TypeAlias

import asyncpg

from service.bench.peers.peer import OnJob, Payload, Peer
from service.store import queries

SQL = queries.load("service.bench.peers")
CHANNEL = "bench_jobs"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Adapter(Peer):
    """One table and asyncpg."""

    settings = "asyncpg, uvloop, inserts of 1,000 rows, taken and deleted by 100, NOTIFY after the commit"

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._rung, self._wakeup = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def setup(self) -> None:
        """The table with its index."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(SQL.postgres_create)
        await connection.close()

    async def open(self, connections: int) -> None:
        """So many connections, and one to ring."""
        self._pool = await asyncpg.create_pool(self.dsn, min_size=connections, max_size=connections)
        self._tasks.append(asyncio.create_task(self._ring(await asyncpg.connect(self.dsn))))

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One INSERT."""
        await self._pool.execute(SQL.postgres_insert, list(map(json.dumps, payloads)))
        self._rung.set()

    async def enqueue_one(self, payload: Payload) -> None:
        """The same for one."""
        await self.enqueue_batch([payload])

    async def start_worker(self, on_job: OnJob) -> None:
        """One connection that listens, takes and deletes."""
        connection = await asyncpg.connect(self.dsn)
        await connection.add_listener(CHANNEL, lambda *_: self._wakeup.set())
        self._tasks.append(asyncio.create_task(self._work(connection, on_job)))

    async def stop_worker(self) -> None:
        """At any point: what it took and did not delete would have been lost to a real queue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, connection: Connection, on_job: OnJob) -> None:
        while True:
            # Cleared before the look: a ring that comes during it is heard.
            self._wakeup.clear()
            while rows := await connection.fetch(SQL.postgres_take):
                for row in rows:
                    on_job(json.loads(row["payload"])["t"])
                await connection.execute(SQL.postgres_delete, [row["id"] for row in rows])
            await self._wakeup.wait()

    async def _ring(self, connection: Connection) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            await connection.execute(SQL.postgres_notify)
