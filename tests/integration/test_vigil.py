"""A watch goes on through lost connections and looks that hang, and forgets what it had watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from service.errors import LeaseLost
from service.lifecycle import Supervisor
from service.relay import vigil
from service.settings import load
from service.store.pool import Database, Session


class Watch:
    """A duty that tells the process id of its connection, and when it was interrupted."""

    def __init__(self) -> None:
        self.pids: asyncio.Queue[int] = asyncio.Queue()
        self.interruptions: asyncio.Queue[None] = asyncio.Queue()
        self.hangs = self.loses = False

    async def look(self, session: Session) -> None:
        if self.loses:
            raise LeaseLost("another leads")
        if self.hangs:
            self.hangs = False
            await session.fetchval("SELECT pg_sleep(60)")
        self.pids.put_nowait(await session.fetchval("SELECT pg_backend_pid()"))

    def interrupted(self) -> None:
        self.interruptions.put_nowait(None)


@asynccontextmanager
async def watching(dsn: str) -> AsyncIterator[tuple[Watch, "asyncio.Task[None]"]]:
    watch = Watch()
    async with await Database.open(load().database, dsn) as db, Supervisor(asyncio.Event()) as supervisor:
        yield watch, supervisor.start("watch", vigil.keep_watch(db, watch, pause=0.01, patience=0.5))


async def another_pid(watch: Watch, pid: int) -> int:
    while True:
        if (found := await asyncio.wait_for(watch.pids.get(), 10)) != pid:
            return found


async def test_a_lost_connection_and_a_look_that_hangs_begin_the_watching_anew(database: str) -> None:
    async with watching(database) as (watch, _):
        first = await another_pid(watch, 0)
        other = await asyncpg.connect(database)
        await other.fetch("SELECT pg_terminate_backend($1)", first)
        await other.close()
        await asyncio.wait_for(watch.interruptions.get(), 10)
        second = await another_pid(watch, first)
        watch.hangs = True
        await asyncio.wait_for(watch.interruptions.get(), 10)
        assert await another_pid(watch, second) != first


async def test_it_ends_when_another_relay_leads(database: str) -> None:
    async with watching(database) as (watch, task):
        await another_pid(watch, 0)
        watch.loses = True
        await asyncio.wait_for(task, 10)


async def test_what_it_does_not_know_is_not_swallowed(database: str) -> None:
    class Broken(Watch):
        async def look(self, session: Session) -> None:
            raise ValueError("a bug")

    async with await Database.open(load().database, database) as db:
        with pytest.raises(ValueError, match="a bug"):
            await vigil.keep_watch(db, Broken(), pause=0.01, patience=0.5)
