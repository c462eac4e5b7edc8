"""Retention from outside: the leading relay's duty, the commands, and the API."""

import asyncio
import json
import logging
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from service.relay.relay import Relay
from service.relay.retention import Retention
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.wakeups import Wakeups
from tests.api_server import Api
from tests.api_server import running as api_running
from tests.integration.test_relay_commands import annals, process, rows
from tests.model.database import assert_verified, session
from tests.retention_world import Ages

HASTE = {
    "environment": "test",
    "relay.lease_seconds": 1,
    "relay.renew_seconds": 0.2,
    "retention.interval_seconds": 0.05,
    "retention.batch": 2,
}
SETTINGS = load(HASTE)


@pytest.fixture
def ages(database: str) -> Iterator[Ages]:
    with session(database) as s:
        ages = Ages(s)
        ages.prepare()
        yield ages


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(SETTINGS.database, database) as opened:
        yield opened


@asynccontextmanager
async def relay(db: Database, name: str, **settings: object) -> AsyncIterator[Relay]:
    """A relay that only does its duties."""
    own = load(HASTE | {path.replace("__", "."): value for path, value in settings.items()})
    async with Doorbell(db, own.wakeup) as bell, Wakeups(db.dsn, own.wakeup) as wakeups:
        started, shutdown = Relay(own, db, wakeups, bell, name, ()), asyncio.Event()
        task = asyncio.create_task(started.run(shutdown))
        try:
            yield started
        finally:
            shutdown.set()
            assert await task == 0


async def test_the_leader_removes_everything_in_batches_and_another_goes_on(ages: Ages, db: Database) -> None:
    for n in range(5):
        ages.task("done", "2 days", f"t-{n}")
    async with relay(db, "r-1") as first, relay(db, "r-2") as second:
        seen = first.retention.rounds.watch(), second.retention.rounds.watch()
        removed: list[dict[str, int]] = []
        while not removed:
            done, _ = await asyncio.wait(
                [asyncio.create_task(each.get()) for each in seen],
                timeout=20,
                return_when=asyncio.FIRST_COMPLETED,
            )
            removed = [task.result() for task in done]
    assert removed[0]["tasks"] == 5 and ages.names() == set()
    ages.task("failed", "31 days")
    async with relay(db, "r-3") as third:
        seen_by_third = third.retention.rounds.watch()
        assert (await asyncio.wait_for(seen_by_third.get(), 20))["dead_letters"] == 1
    [total] = ages.s.rows("SELECT removed, batches FROM retention_totals WHERE what = 'tasks'")
    assert total == {"removed": 5, "batches": 3}
    assert {
        row["actor"] for row in ages.s.rows("SELECT actor FROM events WHERE stream_type = 'retention'")
    } == {"relay"}
    assert_verified(ages.s)


async def test_a_relay_whose_lease_is_gone_removes_nothing(ages: Ages, db: Database) -> None:
    ages.task("done", "2 days")
    ages.s.rows("SELECT lead_relay('another', 'h', 1, NULL, 600)")
    async with Doorbell(db, SETTINGS.wakeup) as bell:
        duty = Retention(db, SETTINGS.retention, bell, "r-1")
        await asyncio.wait_for(duty.run(1), 20)
    assert ages.names() == {"done-2days"}


async def test_a_relay_removes_nothing_when_told_so(ages: Ages, db: Database) -> None:
    off = load(HASTE | {"retention.enabled": False})
    async with Doorbell(db, off.wakeup) as bell:
        await asyncio.wait_for(Retention(db, off.retention, bell, "r-1").run(1), 20)


async def test_what_goes_wrong_is_logged_and_tried_again(
    ages: Ages, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="service")
    ages.task("done", "2 days")
    ages.s.rows("ALTER FUNCTION retention_stretch RENAME TO retention_stretch_away")
    async with relay(db, "r-1") as started:
        seen = started.retention.rounds.watch()
        while "Retention failed" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # a log line rings nobody
        ages.s.rows("ALTER FUNCTION retention_stretch_away RENAME TO retention_stretch")
        assert (await asyncio.wait_for(seen.get(), 20))["tasks"] == 1
    assert "Retention applied" in caplog.text


def test_the_commands_tell_before_they_remove(ages: Ages, database: str) -> None:
    for n in range(3):
        ages.task("done", "2 days", f"t-{n}")
    ages.task("done", "1 hour")
    head = ages.s.head()
    told = {row["what"]: row for row in rows(annals(database, "retention", "run", "--dry-run", "--json"))}
    assert told["tasks"]["rows"] == 3 and told["attempts"]["rows"] == 0
    assert ages.s.head() == head and len(ages.names()) == 4
    before = {row["what"]: row for row in rows(annals(database, "retention", "status", "--json"))}
    assert (before["tasks"]["waiting"], before["tasks"]["removed"]) == (3, 0)
    [done] = rows(annals(database, "retention", "run", "--what", "tasks", "--json"))
    assert done["rows"] == 3 and done["kept"] == 86400 and ages.names() == {"done-1hour"}
    after = {row["what"]: row for row in rows(annals(database, "retention", "status", "--json"))}
    assert (after["tasks"]["waiting"], after["tasks"]["removed"], after["tasks"]["batches"]) == (0, 3, 1)
    shown = annals(database, "retention", "status").stdout
    assert "24 h" in shown and "30 d" in shown
    assert ages.s.value("SELECT actor FROM events WHERE stream_type = 'retention'").startswith("psql:")
    assert_verified(ages.s)


def test_a_kind_that_is_none_is_refused_with_those_there_are(database: str) -> None:
    refused = annals(database, "retention", "run", "--what", "logs")
    assert refused.returncode == 2 and "dead_letters" in refused.stderr


def test_an_interrupted_run_ends_after_its_batch(ages: Ages, database: str) -> None:
    """One row a batch, and a row that is locked: the run stands in the middle when the signal comes."""
    for n in range(3):
        ages.task("done", "2 days", f"t-{n}")
    command, environment = process(database, "--set", "retention.batch=1", "retention", "run", "--json")
    with session(database) as other, other.connection.transaction(force_rollback=True):
        other.rows("SELECT FROM background_tasks WHERE task_id = 't-1' FOR UPDATE")
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
            while not ages.s.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert started.poll() is None
            started.send_signal(signal.SIGINT)
            other.connection.execute("SAVEPOINT s")
            other.connection.execute("ROLLBACK")
            output, _ = started.communicate(timeout=30)
    assert started.returncode == 130
    assert json.loads(output.splitlines()[0])["rows"] == 2
    assert ages.names() == {"t-2"}
    assert_verified(ages.s)


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with api_running(database) as api:
        yield api


async def test_the_api_removes_batch_by_batch_and_says_410_afterwards(ages: Ages, api: Api) -> None:
    name = ages.task("failed", "31 days")
    looked = await api.call("POST", "/retention/run", {"what": "dead_letters", "dry_run": True})
    assert (looked.status, looked.json["removed"]) == (200, 1), looked
    assert (await api.call("GET", f"/tasks/{name}")).status == 200
    key = {"Idempotency-Key": "once"}
    done = await api.call("POST", "/retention/run", {"what": "dead_letters"}, key)
    again = await api.call("POST", "/retention/run", {"what": "dead_letters"}, key)
    assert done.json == again.json == looked.json | {"dry_run": False}
    assert await api.sql("SELECT actor FROM events WHERE stream_type = 'retention'") == "api:development"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
        gone = await api.call(method, f"/tasks/{name}{path}", {} if method == "POST" else None)
        assert (gone.status, gone.json["type"]) == (410, "urn:annals:gone"), gone
        assert "removed by retention at" in gone.json["detail"]
        assert f"/api/v1/tasks/{name}/events" in json.dumps(gone.json)
    assert (await api.call("GET", f"/tasks/{name}/events")).status == 200
    assert (await api.call("GET", "/tasks/never-was")).status == 404
    shown = {row["what"]: row for row in (await api.call("GET", "/retention")).json["items"]}
    assert shown["dead_letters"]["removed"] == 1 and shown["dead_letters"]["kept_seconds"] == 30 * 86400


async def test_the_api_wants_a_kind_that_there_is(api: Api) -> None:
    for body in ({"what": "logs"}, {}, {"what": "tasks", "dry_run": None}):
        assert (await api.call("POST", "/retention/run", body)).status == 422
