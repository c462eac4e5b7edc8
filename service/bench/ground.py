"""Where one measurement happens: a fresh database, a way to enqueue, a worker process, and counts."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.bench import tasks
from service.bench.scratch import QUERIES, Scratch
from service.cli import Context
from service.errors import AnnalsError
from service.store.client import Client, annals_client
from service.store.doorbell import Doorbell
from service.store.fleet import FleetStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.tasks import TaskStore

ACTOR = "bench"
CONCURRENCY = 500
# The most connections that a workload uses at once to enqueue, and one to look.
CLIENTS = 21
LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 300.0


class WorkerDied(AnnalsError):
    """There is nobody left to do the work that is being measured."""

    code = "worker_died"


@dataclass(frozen=True, slots=True)
class Counts:
    """What the server has counted up to a moment; `a - b` is what happened in between."""

    wal_bytes: int
    transactions: int
    row_writes: int

    def __sub__(self, earlier: "Counts") -> "Counts":
        return Counts(
            self.wal_bytes - earlier.wal_bytes,
            self.transactions - earlier.transactions,
            self.row_writes - earlier.row_writes,
        )

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.wal_bytes + other.wal_bytes,
            self.transactions + other.transactions,
            self.row_writes + other.row_writes,
        )


class Ground:
    """One fresh database. `completed` counts incrementally: call `look` to bring it up to date."""

    def __init__(self, context: Context, dsn: str, db: Database, doorbell: Doorbell, client: Client) -> None:
        self.context, self.dsn, self.db, self.doorbell, self.client = context, dsn, db, doorbell, client
        self.tasks, self.log = TaskStore(db), LogReader(db)
        self.completed = 0
        self._process: Process | None = None
        self._position = 0

    async def enqueue(self, payloads: list[dict[str, Any]], task_type: str = tasks.NOOP) -> None:
        """One transaction, then the doorbell."""
        wanted = [{"task_type": task_type, "params": payload} for payload in payloads]
        await self.tasks.enqueue(wanted, actor=ACTOR)
        self.doorbell.ring("annals_tasks", tasks.QUEUE)

    async def enqueue_one(self, payload: dict[str, Any]) -> None:
        """What a Python program does."""
        await self.client.enqueue(tasks.NOOP, payload)

    async def look(self) -> int:
        """Count what was completed since the last look; gives the new total."""
        settled = await self.log.stable_position()
        self.completed += await self.db.fetchval(QUERIES.completed, self._position, settled)
        self._position = settled
        return self.completed

    async def until_completed(self, number: int) -> float:
        """Wait for so many completions in all; gives the monotonic time at which they were seen."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.look() < number:
                if self._process is not None and self._process.returncode is not None:
                    raise WorkerDied("The worker process ended early.", hint="It said why above.")
                # The worker is another process, and a listener here would slow it down.
                await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic()

    async def began(self) -> datetime:
        """When the first attempt began, by the server's clock."""
        return await self.db.fetchval(QUERIES.first_start)  # type: ignore[no-any-return]

    async def now(self) -> datetime:
        """The server's clock."""
        return await self.db.fetchval(QUERIES.clock)  # type: ignore[no-any-return]

    async def analyze(self) -> None:
        """Give the planner statistics of what was just written."""
        async with self.db.acquire() as connection:
            await connection.execute(QUERIES.analyze)

    async def latencies(self) -> list[float]:
        """What the waking handlers measured, in milliseconds, sorted."""
        return sorted(float(row["latency_ms"]) for row in await self.db.fetch(QUERIES.latencies))

    async def counts(self) -> Counts:
        """The server's counters now; those of other processes are complete once they have ended.

        Of this process, the connection used last is counted: one that enqueues by itself is that one.
        """
        await self.db.fetchval(QUERIES.flush_statistics)
        return Counts(*await self.db.fetchrow(QUERIES.counters) or ())

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """One worker process of `CONCURRENCY` slots, ended in order when the block ends."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "service.tether", "worker"),
            stdin=PIPE,
            env=self._environment(),
            start_new_session=True,
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    @asynccontextmanager
    async def pinned_horizon(self) -> AsyncIterator[None]:
        """A transaction that sees the past for as long as the block runs: nothing dead can be removed."""
        async with (
            self.db.session() as session,
            session.connection.transaction(isolation="repeatable_read"),
        ):
            await session.connection.execute(QUERIES.hold_horizon)
            yield

    def _environment(self) -> Mapping[str, str]:
        return self.context.child_environment(self.dsn) | {
            "ANNALS_WORKER__IMPORTS": tasks.__name__,
            "ANNALS_WORKER__QUEUES": tasks.QUEUE,
            "ANNALS_WORKER__CONCURRENCY": str(CONCURRENCY),
            "ANNALS_LOG__LEVEL": "WARNING",
        }


@asynccontextmanager
async def ground(context: Context, scratch: Scratch) -> AsyncIterator[Ground]:
    """A fresh database with connections to it, dropped at the end."""
    settings = context.settings
    with scratch.copy() as dsn:
        room = settings.database.model_copy(update={"pool_max": CLIENTS})
        async with (
            await Database.open(room, dsn) as db,
            Doorbell(db, settings.wakeup) as doorbell,
            annals_client(dsn, name=ACTOR) as client,
        ):
            await FleetStore(db).publish_task_types(tasks.catalogue())
            yield Ground(context, dsn, db, doorbell, client)
