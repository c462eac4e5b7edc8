"""Connections to the database: a pool for short work, sessions of one's own for what must not wait for it.

Session state does not survive in the pool and is not reset either (that would cost a round trip each time):
use SET LOCAL inside a transaction, never SET. A statement that was sent and whose connection broke may or
may not have been executed; nothing here sends it again.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, Self, cast

import asyncpg

from service.errors import DatabaseUnavailable
from service.sections import DatabaseSettings
from service.store.errors import LOST, translated
from service.store.wire import Connection, prepare_connection

CONNECT_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

Rows = list[asyncpg.Record]


class Querying(Protocol):
    """What the stores need: the pool, or one session."""

    async def fetch(self, query: str, *args: Any) -> Rows:
        """All rows."""

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, if there is one."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row; None without a row."""

    async def fetch_planned(self, query: str, *args: Any) -> Rows:
        """All rows, by a plan made for these very arguments: for statements with optional filters."""


class Session:
    """One connection that nobody else uses."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def fetch(self, query: str, *args: Any) -> Rows:
        """All rows."""
        with translated():
            return await self.connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, if there is one."""
        with translated():
            return await self.connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row; None without a row."""
        with translated():
            return await self.connection.fetchval(query, *args)

    async def fetch_planned(self, query: str, *args: Any) -> Rows:
        """All rows, by a plan made for these very arguments."""
        with translated():
            # Prepared without a name, it is planned again each time and leaves nothing behind.
            statement = await self.connection.prepare(query, name="")
            return await statement.fetch(*args)


class Database:
    """The pool of one process. `async with await Database.open(...) as db`, or close() at the end."""

    def __init__(self, settings: DatabaseSettings, dsn: str, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.settings, self.dsn, self._pool = settings, dsn, pool

    @classmethod
    async def open(cls, settings: DatabaseSettings, dsn: str, *, patience_seconds: float = 10.0) -> Self:
        """Connect, trying again for `patience_seconds`. Raises DatabaseUnavailable with what failed last."""
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE
        deadline = clock() + patience_seconds
        while True:
            try:
                with translated():
                    return cls(settings, dsn, await asyncpg.create_pool(dsn, **_pool_options(settings)))
            except DatabaseUnavailable:
                if clock() + pause > deadline:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def acquire(self, timeout: float = CONNECT_SECONDS) -> AsyncIterator[Connection]:
        """A connection of the pool, for several statements or a transaction; do nothing but queries with it.

        Raises DatabaseUnavailable when none is free or can be made within `timeout` seconds.
        """
        with translated():
            proxy = await self._pool.acquire(timeout=timeout)
            connection = cast("Connection", proxy)
            try:
                yield connection
            except asyncpg.InternalClientError:
                # asyncpg has lost track of its state: it must not serve another one.
                connection.terminate()
                raise
            except asyncpg.ReadOnlySQLTransactionError:
                # We hold connections to a server that is a standby now; the next ones go to the new primary.
                await self._pool.expire_connections()
                raise
            finally:
                # That it broke after its work was done is not that work's failure.
                with suppress(*LOST):
                    await self._pool.release(proxy)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection outside of the pool, closed at the end of the block."""
        with translated():
            connection = await asyncpg.connect(self.dsn, **_connection_options(self.settings))
            await prepare_connection(connection)
        try:
            yield Session(connection)
        finally:
            await close_quietly(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end of the block, rolled back on an error."""
        async with self.acquire() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *args: Any) -> Rows:
        """All rows."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """The first row, if there is one."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first column of the first row; None without a row."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *args)

    async def fetch_planned(self, query: str, *args: Any) -> Rows:
        """All rows, by a plan made for these very arguments: for statements with optional filters."""
        async with self.acquire() as connection:
            statement = await connection.prepare(query, name="")
            return await statement.fetch(*args)

    async def close(self, timeout: float = 5.0) -> None:
        """Close every connection; those still in use after `timeout` seconds are cut. May be called twice."""
        try:
            async with asyncio.timeout(timeout):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def close_quietly(connection: Connection, timeout: float = 2.0) -> None:
    """Close a connection that may be broken already."""
    try:
        await connection.close(timeout=timeout)
    except LOST:
        connection.terminate()


async def _keep(_: Connection) -> None:
    """Instead of asyncpg's reset of a returned connection."""


def _connection_options(settings: DatabaseSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
        "command_timeout": settings.command_timeout_seconds,
        "statement_cache_size": settings.statement_cache_size,
    }
    if settings.statement_cache_size > 0:  # behind a transaction pooler settings belong to its configuration
        idle_ms = round(settings.idle_in_transaction_timeout_seconds * 1000)
        options["server_settings"] = {
            "application_name": "annals",
            "jit": "off",
            "idle_in_transaction_session_timeout": str(idle_ms),
        }
    return options


def _pool_options(settings: DatabaseSettings) -> dict[str, Any]:
    return _connection_options(settings) | {
        "min_size": settings.pool_min,
        "max_size": settings.pool_max,
        "init": prepare_connection,
        "reset": _keep,
    }
