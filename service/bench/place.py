"""Where one queue is measured once: a database of its own, agents on it, and what the server counted."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection

from service.bench.agents import AgentProcess, PeerFailed, agent
from service.bench.ground import Counts
from service.bench.install import Program
from service.bench.peers.catalogue import Contender
from service.bench.scratch import QUERIES, Scratch
from service.store import queries

LEFT = queries.load("service.bench.peers")
LOOK_SECONDS = 0.002
PATIENCE_SECONDS = 300.0


class Place:
    """One fresh database of one queue."""

    def __init__(self, contender: Contender, program: Program, dsn: str) -> None:
        self.contender = contender
        # The rows that a life left behind, by table; None while none was lived.
        self.left: dict[str, int] | None = None
        self._program, self._dsn = program, dsn

    def agent(self) -> AbstractAsyncContextManager[AgentProcess]:
        """A process of this queue on this database."""
        return agent(self._program, self._dsn)

    async def prepare(self) -> None:
        """Statistics of the empty tables, and no checkpoint soon, where the user may make one."""
        async with self.connection() as connection:
            await connection.execute(QUERIES.vacuum)
            try:
                await connection.execute(QUERIES.checkpoint)
            except psycopg.errors.InsufficientPrivilege:
                return

    async def analyze(self) -> None:
        """What autovacuum would have done before long."""
        async with self.connection() as connection:
            await connection.execute(QUERIES.analyze)

    async def counts(self) -> Counts:
        """The counters of the server, once nobody is connected who would still add to them."""
        async with self.connection() as connection, asyncio.timeout(PATIENCE_SECONDS):
            while (await _rows(connection, QUERIES.connected))[0][0]:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
            return Counts(*(await _rows(connection, QUERIES.counters))[0])

    async def until_empty(self, connection: AsyncConnection[Any]) -> tuple[float, int]:
        """Wait until no job is left; gives the monotonic time, and how many transactions the looking took."""
        began, looks = time.monotonic(), 0
        while True:
            looks += 1
            left = (await _rows(connection, LEFT[self.contender.name]))[0][0]
            if not left:
                return time.monotonic(), looks
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise PeerFailed(f"After {PATIENCE_SECONDS:.0f} s {left} jobs are left.")
            # The worker is another process, and a listener would be a connection of some queues alone.
            await asyncio.sleep(LOOK_SECONDS)

    async def kept(self) -> dict[str, int]:
        """The rows of each table that has any, as ANALYZE found them."""
        await self.analyze()
        async with self.connection() as connection:
            return {str(table): int(number) for table, number in await _rows(connection, QUERIES.kept)}

    @asynccontextmanager
    async def pinned_horizon(self) -> AsyncIterator[None]:
        """A transaction that sees the past for as long as the block runs: nothing dead can be removed."""
        async with self.connection() as connection:
            await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            async with connection.transaction():
                await connection.execute(QUERIES.hold_horizon)
                yield

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """One to this database, beside the queue's own; each statement is a transaction."""
        async with await AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            yield connection


@contextmanager
def place(contender: Contender, program: Program, scratch: Scratch) -> Iterator[Place]:
    """A copy of the queue's prepared database, dropped at the end."""
    with scratch.copy() as dsn:
        yield Place(contender, program, dsn)


async def _rows(connection: AsyncConnection[Any], statement: str) -> list[Any]:
    return await (await connection.execute(statement)).fetchall()
