"""`from service import annals_client`: what a Python program enqueues with."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service import Client, annals_client
from service.errors import Conflict, Invalid, SettingsError, TooBig
from service.settings import load
from service.store.fleet import FleetStore
from service.store.pool import Database
from tests.api_server import TASK_TYPE
from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import asyncio, sys
from service import annals_client

async def main():
    async with annals_client() as client:
        ids = await asyncio.gather(*(client.enqueue("noop", {"n": n}) for n in range(50)))
    print(len(set(ids)))

asyncio.run(main())
"""


@pytest.fixture
async def behind(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with await Database.open(load().database, database) as db:
        await FleetStore(db).publish_task_types([TASK_TYPE])
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def client(database: str, behind: object) -> AsyncIterator[Client]:
    async with annals_client(database, name="shop") as client:
        yield client


async def test_a_task_is_enqueued_with_what_was_said(client: Client, behind: Any) -> None:
    task_id = await client.enqueue(
        "noop",
        {"n": 1},
        correlation_id="order-7",
        priority=2,
        subject="order:7",
        run_at=datetime(2030, 1, 1),
        max_attempts=7,
    )
    row = await behind.fetchrow(
        "SELECT actor, e.correlation_id, t.priority, t.subject, t.run_at, t.max_attempts, data -> 'params'"
        " FROM background_tasks t JOIN events e ON stream_id = task_id WHERE task_id = $1",
        task_id,
    )
    at = datetime(2030, 1, 1, tzinfo=UTC)
    assert tuple(row) == ("client:shop", "order-7", 2, "order:7", at, 7, '{"n": 1}')


async def test_workers_are_woken_after_the_commit(client: Client, behind: Any) -> None:
    heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    seen = await asyncpg.connect(dsn_of(client))

    async def look(queue: str) -> None:
        heard.put_nowait((queue, await seen.fetchval("SELECT count(*) FROM background_tasks")))

    tasks = set()

    def rung(_: object, __: int, ___: str, queue: object) -> None:
        tasks.add(asyncio.get_running_loop().create_task(look(str(queue))))

    await behind.add_listener("annals_tasks", rung)
    await client.enqueue("noop", queue="later")
    async with asyncio.timeout(10):
        assert await heard.get() == ("later", 1)
    await seen.close()


def dsn_of(client: Client) -> str:
    return client._settings.database.url or ""


async def test_callers_at_the_same_time_share_commits(client: Client, behind: Any) -> None:
    ids = await asyncio.gather(*(client.enqueue("noop", {"n": n}) for n in range(200)))
    assert len(set(ids)) == 200
    query = "SELECT count(*), count(DISTINCT xmin::text) FROM events WHERE type = 'task.enqueued'"
    written, commits = await behind.fetchrow(query)
    assert written == 200 and commits == 1


async def test_many_are_enqueued_in_one_transaction_and_in_order(client: Client, behind: Any) -> None:
    ids = await client.enqueue_many([{"task_type": "noop", "params": {"n": n}} for n in range(1000)])
    rows = await behind.fetch(
        "SELECT stream_id, xmin::text FROM events WHERE stream_type = 'task' ORDER BY position"
    )
    assert [row[0] for row in rows] == ids and len({row[1] for row in rows}) == 1


async def test_a_unique_key_gives_the_task_that_is_open(client: Client) -> None:
    first = await client.enqueue("noop", unique_key="k")
    assert await client.enqueue("noop", unique_key="k") == first


async def test_bad_tasks_get_the_errors_of_the_contract(client: Client, behind: Any) -> None:
    with pytest.raises(Invalid, match="unknown task_type 'nop'"):
        await client.enqueue("nop")
    with pytest.raises(Invalid, match="prio"):
        await client.enqueue("noop", prio=1)  # type: ignore[call-arg]
    with pytest.raises(Invalid, match="JSON"):
        await client.enqueue("noop", {"x": object()})
    with pytest.raises(Invalid):
        await client.enqueue_many([{"task_type": "noop", "params": {"x": float("nan")}}])
    with pytest.raises(TooBig):
        await client.enqueue("noop", {"x": "x" * 300_000})
    with pytest.raises(Invalid, match="webhook_url"):
        await client.enqueue("noop", webhook_url="https://10.0.0.1/hook")
    await client.enqueue("noop", task_id="mine")
    with pytest.raises(Conflict, match="mine"):
        await client.enqueue("noop", task_id="mine")
    assert await behind.fetchval("SELECT count(*) FROM background_tasks") == 1


async def test_a_database_that_was_not_migrated_is_refused(server: Server) -> None:
    server.execute("CREATE DATABASE {} TEMPLATE template0", "annals_bare")
    try:
        with pytest.raises(Conflict, match="schema"):
            async with annals_client(server.dsn("annals_bare")):
                pass
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", "annals_bare")


async def test_it_asks_for_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsError, match="No database"):
        async with annals_client():
            pass


async def test_a_program_needs_neither_worker_nor_command(database: str, behind: Any) -> None:
    environment = os.environ | {"DATABASE_URL": database, "PYTHONPATH": str(ROOT)}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM), env=environment, stdout=subprocess.PIPE
    )
    output, _ = await program.communicate()
    assert (program.returncode, output.strip()) == (0, b"50")
    actors = await behind.fetch("SELECT DISTINCT actor FROM events WHERE type = 'task.enqueued'")
    assert [row[0].partition(":")[0] for row in actors] == ["client"], "the role stands there"
