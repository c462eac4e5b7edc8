"""`annals status` and GET /api/v1/status: each cause of the exit code 1, by itself."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.settings import load
from service.store.pool import Database
from service.store.status import StatusStore
from service.store.status_screen import screen
from tests.api_server import running

SETTINGS = load({"environment": "test"})
LEAD = "SELECT lead_relay('r-1', 'h', 1, lease_seconds => 3600)"
START = "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4, 'v1')"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', $1::integer)"
END = """
    SELECT end_attempts('w-1', $1, $2, array_fill($3::text, ARRAY[cardinality($1::text[])]),
                        array_fill('{"retry": false}'::jsonb, ARRAY[cardinality($1)]))
"""
ENQUEUE = """
    SELECT enqueue_tasks(jsonb_agg('{"task_type": "noop"}'::jsonb)) FROM generate_series(1, $1::integer)
"""
COUNT = "SELECT count_task_events(0, stable_position()), count_events(0, stable_position())"
FOLLOW = "UPDATE followers SET position = stable_position()"
WEBHOOK = """
    SELECT append_events(ARRAY[ROW(
        'webhook', 'd-' || n, 'webhook.' || $1, '{}', NULL, NULL, NULL, NULL)::event_draft])
    FROM generate_series(1, $2::integer) n
"""
PARK = "SELECT park_event(name, position, $1, 'no', 'r-1', 1) FROM followers WHERE name = 'task_counts'"


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """An installation where all is well."""
    async with await Database.open(SETTINGS.database, database) as opened:
        await opened.fetchval("SELECT publish_task_types($1)", [{"task_type": "noop", "code_version": "1"}])
        await opened.fetch(LEAD)
        await opened.fetch(START)
        for name in ("task_counts", "event_counts"):
            await opened.fetch("SELECT open_follower($1, 0)", name)
        await opened.fetch(FOLLOW)
        yield opened


async def no_leader(db: Database) -> None:
    await db.fetch("SELECT leave_relay('r-1', 1)")


async def no_worker(db: Database) -> None:
    await db.fetch("SELECT stop_worker('w-1')")
    await db.fetch(ENQUEUE, 1)


async def silent_worker(db: Database) -> None:
    await db.fetch("SELECT renew_worker('w-1', at => now() - interval '20 seconds')")
    await db.fetch(ENQUEUE, 1)


async def parked_events(db: Database) -> None:
    await db.fetch(ENQUEUE, 1)
    head = await db.fetchval("SELECT max(position) FROM events")
    await db.fetch(PARK, head)


async def endpoint_paused(db: Database) -> None:
    await db.fetch("SELECT change_endpoint('https://a.example/x', 'paused', 'it fails')")


async def endpoint_disabled(db: Database) -> None:
    await db.fetch("SELECT change_endpoint('https://a.example/x', 'disabled', '410')")


async def follower_lag(db: Database) -> None:
    await db.fetch("SELECT enqueue_task('noop', at => now() - interval '2 minutes')")
    await db.fetch("SELECT cancel_tasks(ARRAY(SELECT task_id FROM background_tasks))")


async def long_queue(db: Database) -> None:
    await db.fetch(ENQUEUE, 1001)


async def long_run(db: Database) -> None:
    await db.fetch("SELECT renew_worker('w-1', busy_slots => 1, working_seconds => 700)")


async def schedule_overdue(db: Database) -> None:
    definition = {"cron": "* * * * *", "task_type": "noop"}
    late = "SELECT set_schedule('nightly', $1::jsonb, clock_timestamp() - interval '5 minutes')"
    await db.fetch(late, definition)


async def workers_lost(db: Database) -> None:
    for name in ("a", "b", "c", "d"):
        await db.fetch(START.replace("w-1", name))
        await db.fetch("SELECT rescue_tasks($1, (SELECT seen_at FROM workers WHERE worker_id = $1))", name)


async def ended(db: Database, outcome: str, count: int) -> None:
    await db.fetch(ENQUEUE, count)
    held = await db.fetch(CLAIM, count)
    await db.fetch(END, [row[0] for row in held], [row[1] for row in held], outcome)


async def tasks_fail(db: Database) -> None:
    await ended(db, "completed", 17)
    await ended(db, "failed", 2)
    await db.fetch(COUNT)


async def webhooks_fail(db: Database) -> None:
    await db.fetch(WEBHOOK, "delivered", 7)
    await db.fetch(WEBHOOK, "attempt_failed", 3)
    await db.fetch(COUNT)


CAUSES: dict[str, Callable[[Database], Awaitable[None]]] = {
    "no_leader": no_leader,
    "no_worker": no_worker,
    "no_worker: silent": silent_worker,
    "parked_events": parked_events,
    "endpoint_paused": endpoint_paused,
    "endpoint_disabled": endpoint_disabled,
    "follower_lag": follower_lag,
    "long_queue": long_queue,
    "long_run": long_run,
    "schedule_overdue": schedule_overdue,
    "workers_lost": workers_lost,
    "tasks_fail": tasks_fail,
    "webhooks_fail": webhooks_fail,
}


@pytest.mark.parametrize("name", CAUSES)
async def test_each_cause_alone_is_named(db: Database, name: str) -> None:
    await CAUSES[name](db)
    if name != "follower_lag":
        await db.fetch(FOLLOW)
    status = await StatusStore(db).status()
    names = {reason.name for reason in status.reasons}
    assert names == {name.split(":")[0]}
    assert not status.is_well
    first = list(screen(status))[1]
    assert status.reasons[0].text in first, "what needs a person stands first"


async def test_an_open_append_is_named_with_its_process(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.alarms.OPEN_APPEND_SECONDS", 0.0)
    async with db.transaction() as late:
        await late.fetch("SELECT pause_queue('other')")
        status = await StatusStore(db).status()
        pid = await late.fetchval("SELECT pg_backend_pid()")
    assert [reason.name for reason in status.reasons] == ["open_append"]
    assert str(pid) in status.reasons[0].text and str(pid) in status.reasons[0].hint


async def test_rates_of_few_cases_need_nobody(db: Database) -> None:
    await ended(db, "failed", 4)
    await db.fetch(WEBHOOK, "attempt_failed", 4)
    await db.fetch(COUNT)
    await db.fetch(FOLLOW)
    status = await StatusStore(db).status()
    assert status.is_well
    assert status.last_hour.failed == 4 == status.last_hour.failed_attempts


async def test_the_screen_tells_everything(db: Database) -> None:
    await ended(db, "completed", 3)
    await ended(db, "failed", 1)
    await db.fetch(ENQUEUE, 2)
    await db.fetch("SELECT renew_worker('w-1', busy_slots => 3)")
    await db.fetch("SELECT pause_queue('other', 'they deploy')")
    await db.fetch(COUNT)
    await db.fetch(FOLLOW)
    text = "\n".join(screen(await StatusStore(db).status()))
    for part in (
        *("All is well", "1 live", "3 of 4 slots busy", "v1 x1", "r-1 leads in term 1", "0 not settled"),
        *("3 completed", "1 failed (25.0%)", "they deploy", "task_counts", "default", "Errors of 24 hours"),
    ):
        assert part in text, part


@asynccontextmanager
async def command(database: str, *arguments: str) -> AsyncIterator[tuple[int, str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "status", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"DATABASE_URL": database},
    )
    out, _ = await process.communicate()
    yield process.returncode or 0, out.decode()


async def test_the_exit_code_tells_scripts(db: Database, database: str) -> None:
    async with command(database) as (code, text):
        assert code == 0 and "All is well" in text and "\x1b" not in text
    await no_leader(db)
    async with command(database, "--json") as (code, text):
        assert code == 1
        told = json.loads(text)
        assert [reason["name"] for reason in told["reasons"]] == ["no_leader"]
        assert told["at"].endswith("Z")


async def test_rest_tells_the_same(db: Database, database: str) -> None:
    await no_leader(db)
    async with running(database) as api:
        answer = await api.call("GET", "/status")
    async with command(database, "--json") as (_, text):
        told: dict[str, Any] = json.loads(text)
    assert answer.status == 200
    assert answer.json.keys() == told.keys()
    for name in ("is_well", "reasons", "queues", "version", "server_version", "endpoints", "term"):
        assert answer.json[name] == told[name], name
    assert [worker["worker_id"] for worker in answer.json["workers"]] == ["w-1"]
