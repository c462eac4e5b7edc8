"""Audits of one database take turns; writers and audits wait for each other, and never in a circle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from service.audit.reader import Chunk
from service.audit.rebuild import rebuild
from service.audit.verify import start, verify
from service.errors import Conflict
from service.settings import load
from service.store.pool import Database

Connection = asyncpg.Connection
SMALL = Chunk(streams=15, events=40)
LIVED = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT start_worker('w', 'h', 1, '{default}', '{noop}', 4)",
    "SELECT enqueue_task('noop', task_id => 't-' || n) FROM generate_series(1, 40) n",
    "SELECT claim_tasks('w', '{default}', '{noop}', 20)",
    "UPDATE background_tasks SET priority = 1 WHERE task_id = 't-1'",
    "SELECT repair_streams('background_tasks', 'task', '{t-1}')",
)


@pytest.fixture
async def lived(database: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(database)
    for statement in LIVED:
        await connection.execute(statement)
    yield database
    await connection.close()


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Database]:
    async with await Database.open(load({}).database, dsn) as db:
        yield db


async def until_waiting(watch: "Connection[Any]", *connections: "Connection[Any]") -> None:
    """Until each of these waits for a lock."""
    pids = [connection.get_server_pid() for connection in connections]
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid = ANY ($1)"
    async with asyncio.timeout(20):
        while await watch.fetchval(waiting, pids) < len(pids):  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)  # the server has no event for a wait that began


HEAD = "SELECT FROM stream_heads WHERE stream_type = 'worker' AND stream_id = 'w' FOR UPDATE"
WORKERS = "SELECT repair_streams('workers', 'worker', '{w}')"
RESCUE = "SELECT rescue_tasks('w', (SELECT seen_at FROM workers))"
TASKS = "SELECT repair_streams('background_tasks', 'task', '{t-1}')"
HEADS = "SELECT repair_streams('stream_heads', 'projection', '{background_tasks}')"
FORGED = "UPDATE background_tasks SET priority = 1 WHERE task_id = 't-1'"


@pytest.mark.parametrize(
    ("held", "first", "second"),
    [
        (HEAD, WORKERS, "SELECT stop_worker('w')"),
        (HEAD, "SELECT stop_worker('w')", WORKERS),
        (HEAD, WORKERS, RESCUE),
        (HEAD, RESCUE, WORKERS),
        ("LOCK TABLE shadow.events", TASKS, HEADS),
        ("LOCK TABLE shadow.events", HEADS, TASKS),
    ],
    ids=[
        "a rebuild of workers, then a stop",
        "a stop, then a rebuild of workers",
        "a rebuild of workers, then a rescue",
        "a rescue, then a rebuild of workers",
        "a rebuild of tasks, then one of the heads that repairs are recorded under",
        "a rebuild of those heads, then one of tasks",
    ],
)
async def test_they_wait_for_each_other_and_never_in_a_circle(
    lived: str, held: str, first: str, second: str
) -> None:
    """Both stand before a lock in the order that would close the circle; then it is let go."""
    holder, one, other, watch = [await asyncpg.connect(lived) for _ in range(4)]
    await watch.execute(FORGED)
    holding = holder.transaction()
    await holding.start()
    await holder.execute(held)
    running = [asyncio.create_task(one.execute(first))]
    await until_waiting(watch, one)
    running.append(asyncio.create_task(other.execute(second)))
    await until_waiting(watch, one, other)
    await holding.rollback()
    await asyncio.gather(*running)
    for connection in (holder, one, other, watch):
        await connection.close()
    async with opened(lived) as db:
        _ = [finding async for finding in rebuild(db, await start(db, ["background_tasks"]))]
        assert [finding async for finding in verify(db, await start(db))] == []


async def test_many_audits_at_once_come_to_the_same_on_a_live_system(lived: str) -> None:
    """Two verifies and rebuilds of three read models, while others write: all end, none finds a thing."""
    over = asyncio.Event()

    async def write(db: Database) -> None:
        while not over.is_set():
            await db.fetch("SELECT enqueue_task('noop'), pause_queue('other')")
            claim = "SELECT task_id, lease FROM claim_tasks('w', '{default}', '{noop}', 3)"
            for row in await db.fetch(claim):
                await db.fetch("SELECT complete_task($1, $2)", row["task_id"], row["lease"])
            await db.fetch("SELECT renew_worker('w'), resume_queue('other')")

    async def look(db: Database) -> list[Any]:
        return [finding async for finding in verify(db, await start(db, (), SMALL))]

    async def mend(db: Database, name: str) -> list[Any]:
        return [finding async for finding in rebuild(db, await start(db, [name], SMALL))]

    async with opened(lived) as db:
        writers = [asyncio.create_task(write(db)) for _ in range(2)]
        rebuilds = [mend(db, name) for name in ("background_tasks", "stream_heads", "workers")]
        async with asyncio.timeout(90):
            found = await asyncio.gather(*(look(db) for _ in range(2)), *rebuilds)
        over.set()
        await asyncio.gather(*writers)
    assert found == [[]] * 5


async def a_verify(db: Database) -> None:
    async for _ in verify(db, await start(db)):
        pass


async def a_rebuild(db: Database) -> None:
    async for _ in rebuild(db, await start(db, ["background_tasks"])):
        pass


@pytest.mark.parametrize("audit", [a_verify, a_rebuild])
async def test_who_waits_too_long_is_told_for_whom(
    lived: str, audit: Callable[[Database], Awaitable[None]]
) -> None:
    holder = await asyncpg.connect(lived)
    await holder.execute("ALTER FUNCTION empty_shadow() SET lock_timeout = '50ms'")
    async with opened(lived) as db, holder.transaction():
        await holder.execute("SELECT empty_shadow()")
        with pytest.raises(Conflict, match="another audit has held the shadow for 50ms") as caught:
            await audit(db)
        assert f"process {holder.get_server_pid()} " in caught.value.hint
    await holder.close()
