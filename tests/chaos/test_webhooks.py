"""The relay dies at every step of a delivery, or is cut off while it sends: what the receiver sees then.

Whatever happens: each webhook arrives at least once, all its copies are one id, one number and one body, the
numbers have no gap, and no attempt that the log knows is counted twice.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web

from service.settings import load
from service.store.pool import Database
from service.store.tasks import TaskStore
from tests.chaos.ledger import assert_audit_finds_nothing
from tests.chaos.proxy import Proxy
from tests.chaos.test_relays import HASTE, ROOT, Connection, leader
from tests.receiving import Hit, Receiver, receiving

pytestmark = pytest.mark.timeout(300)
QUICK = HASTE | {"ANNALS_WEBHOOKS__FIRST_DELAY_SECONDS": "0.2"}
FIRST_FAILS = 503
# Every step of an attempt that fails, of the wait, and of one that is delivered.
STEPS = [
    *[(name, 1) for name in ("taken", "request", "answered", "recording", "recorded", "waiting")],
    *[(name, 2) for name in ("request", "answered", "recording", "recorded", "delivered")],
]
TERMINAL = "SELECT count(*) FROM events WHERE type = 'task.cancelled'"
ATTEMPTS = """
    SELECT stream_id, array_agg((data ->> 'attempt')::integer ORDER BY version) AS attempts,
           count(*) FILTER (WHERE type = 'webhook.delivered') AS delivered
    FROM events WHERE type IN ('webhook.attempt_failed', 'webhook.delivered') GROUP BY 1
"""
SEQUENCES = "SELECT endpoint, array_agg(sequence ORDER BY sequence) FROM webhook_deliveries GROUP BY 1"


class Children:
    """Relays as processes, mortal ones among them; what they say goes to a file."""

    def __init__(self, log: Path) -> None:
        self.log, self.processes = log, list[subprocess.Popen[bytes]]()

    def start(self, dsn: str, *command: str) -> "subprocess.Popen[bytes]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANNALS_")}
        environment |= QUICK | {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], env=environment, stderr=log, cwd=ROOT
            )
        self.processes.append(process)
        return process

    def surprises(self) -> list[str]:
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line["traceback"] for line in lines if "traceback" in line]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Children]:
    running = Children(tmp_path / "relays.log")
    yield running
    running.end()


@pytest.fixture
async def db(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def end_tasks(dsn: str, url: str, number: int) -> None:
    """So many tasks with a webhook, over before they began; who asks for their webhooks is the relay."""
    async with await Database.open(load().database, dsn) as db:
        await db.fetchval("SELECT publish_task_types($1)", [{"task_type": "noop", "code_version": "1"}])
        drafts = [{"task_type": "noop", "webhook_url": url} for _ in range(number)]
        made = await TaskStore(db).enqueue(drafts, actor="psql:test", ring=True)
        await TaskStore(db).cancel([each.task_id for each in made], actor="psql:test")


async def all_sent(db: Connection, number: int) -> None:
    async with asyncio.timeout(60):
        while await db.fetchval("SELECT count(*) FROM webhook_deliveries WHERE status <> 'pending'") < number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # other processes write it


def failing_first() -> Callable[[Hit], Awaitable[web.Response]]:
    """The first copy of each webhook is refused."""
    seen = set[str]()

    async def answer(hit: Hit) -> web.Response:
        known = hit.delivery_id in seen
        seen.add(hit.delivery_id)
        return web.Response(status=200 if known else FIRST_FAILS)

    return answer


async def assert_nothing_is_lost_or_doubled(db: Connection, receiver: Receiver, number: int) -> None:
    copies = defaultdict[str, set[tuple[int, bytes]]](set)
    for hit in receiver.hits:
        copies[hit.delivery_id].add((hit.sequence, hit.body))
    assert len(copies) == number == await db.fetchval(TERMINAL)
    assert all(len(versions) == 1 for versions in copies.values()), "copies of one webhook are the same"
    assert sorted(sequence for ((sequence, _),) in copies.values()) == list(range(1, number + 1))
    for endpoint, sequences in await db.fetch(SEQUENCES):
        assert sequences == list(range(1, number + 1)), endpoint
    for row in await db.fetch(ATTEMPTS):
        assert row["attempts"] == list(range(1, len(row["attempts"]) + 1)), "each attempt is told once"
        assert row["delivered"] == 1


@pytest.mark.parametrize(("step", "attempt"), STEPS, ids=[f"{name}-{number}" for name, number in STEPS])
async def test_a_relay_killed_at_any_step_loses_and_doubles_nothing(
    database: str, db: Connection, children: Children, step: str, attempt: int
) -> None:
    async with receiving(failing_first()) as receiver:
        await end_tasks(database, f"{receiver.url}/hook", 3)
        mortal = children.start(database, "tests.chaos.mortal_relay", step, str(attempt))
        assert await asyncio.to_thread(mortal.wait, 60) == -signal.SIGKILL
        heir = children.start(database, "service", "relay")
        await leader(db, 1)
        await all_sent(db, 3)
        heir.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(heir.wait, 30) == 0
        await assert_nothing_is_lost_or_doubled(db, receiver, 3)
        retries = await db.fetchval("SELECT sum(webhook_retry_count) FROM background_tasks")
        failed = await db.fetchval("SELECT count(*) FROM events WHERE type = 'webhook.attempt_failed'")
        assert retries == failed <= 3, "a failure that nobody wrote down is made again, and may succeed"
    assert children.surprises() == []


async def test_two_relays_of_which_one_is_cut_off_while_it_sends(
    database: str, db: Connection, children: Children, short_path: Path
) -> None:
    """Its requests are open when its database goes; what comes of them is not written down by it."""
    held, arrived = asyncio.Event(), asyncio.Event()

    async def answer(_: Hit) -> web.Response:
        if not held.is_set():
            arrived.set()
            await held.wait()
        return web.Response()

    async with receiving(answer) as receiver, Proxy(database, short_path).serve() as proxy:
        children.start(proxy.dsn, "service", "relay", "--id", "cut-off")
        _, term = await leader(db)
        await end_tasks(database, f"{receiver.url}/hook", 8)
        await asyncio.wait_for(arrived.wait(), 30)
        proxy.cut()
        children.start(database, "service", "relay", "--id", "other")
        await leader(db, term)
        held.set()
        await all_sent(db, 8)
        proxy.mend()
        await assert_nothing_is_lost_or_doubled(db, receiver, 8)
        written_by = await db.fetchval("SELECT holder FROM relay_lease")
        assert written_by == "other"
    await asyncio.to_thread(assert_audit_finds_nothing, database)


async def test_a_relay_that_slept_over_its_lease_writes_nothing_down(
    database: str, db: Connection, children: Children
) -> None:
    """SIGSTOP with open requests, another delivers everything, SIGCONT: the old answers change nothing."""
    held, arrived = asyncio.Event(), asyncio.Event()

    async def answer(_: Hit) -> web.Response:
        if not held.is_set():
            arrived.set()
            await held.wait()
        return web.Response()

    async with receiving(answer) as receiver:
        sleeper = children.start(database, "service", "relay", "--id", "sleeper")
        _, term = await leader(db)
        await end_tasks(database, f"{receiver.url}/hook", 4)
        await asyncio.wait_for(arrived.wait(), 30)
        sleeper.send_signal(signal.SIGSTOP)
        heir = children.start(database, "service", "relay", "--id", "heir")
        await leader(db, term)
        held.set()
        await all_sent(db, 4)
        sleeper.send_signal(signal.SIGCONT)
        heir.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(heir.wait, 30) == 0
        await leader(db, term + 1)
        await end_tasks(database, f"{receiver.url}/hook", 1)
        await all_sent(db, 5)
        await assert_nothing_is_lost_or_doubled(db, receiver, 5)
        with suppress(ProcessLookupError):
            sleeper.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(sleeper.wait, 30) == 0
    assert children.surprises() == []
    await asyncio.to_thread(assert_audit_finds_nothing, database)
