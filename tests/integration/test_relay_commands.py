"""The commands `annals relay` and `annals schedules`, as processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from service.store.pool import Database
from tests.integration.test_relay import SETTINGS, Echo, enqueue, reached, running

ROOT = Path(__file__).resolve().parents[2]
SCHEDULE = ("--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--type", "noop")


def annals(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, environment = process(dsn, *arguments)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def process(dsn: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environment = os.environ | {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}
    return [sys.executable, "-m", "service", *arguments], environment


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def dsn(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    return database


@contextmanager
def relay(dsn: str, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    command, environment = process(dsn, "relay", "--id", name)
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as started:
        try:
            yield started
        finally:
            started.kill()


def until_leads(dsn: str, name: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT pg_sleep(0.02), holder = %s FROM relay_lease WHERE expires_at > clock_timestamp()"
        while (connection.execute(query, [name]).fetchone() or (None, False))[1] is not True:
            pass


def test_status_tells_who_leads_and_its_code_whether_anybody_does(dsn: str) -> None:
    nobody = annals(dsn, "relay", "status")
    assert nobody.returncode == 1 and "annals relay" in nobody.stderr
    with relay(dsn, "relay-7") as started:
        until_leads(dsn, "relay-7")
        told = rows(annals(dsn, "relay", "status", "--json"))
        assert (told[0]["relay_id"], told[0]["role"], told[0]["pid"]) == ("relay-7", "leads", started.pid)
        assert "relay-7" in annals(dsn, "relay", "status").stdout
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=20) == 0
    assert annals(dsn, "relay", "status").returncode == 1


def test_a_relay_does_not_start_on_what_it_cannot_understand(dsn: str, tmp_path: Path) -> None:
    bad_id = annals(dsn, "relay", "--id", "a b")
    assert bad_id.returncode == 2 and "a b" in bad_id.stderr
    config = tmp_path / "mine.toml"
    config.write_text('[schedules.nightly]\ncron = "0 25 * * *"\ntask_type = "noop"\n')
    command, environment = process(dsn, "relay")
    done = subprocess.run(
        command, env=environment | {"ANNALS_CONFIG": str(config)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "schedules.nightly" in done.stderr


def test_a_schedule_is_set_shown_fired_and_disabled(dsn: str) -> None:
    (made,) = rows(annals(dsn, "schedules", "set", "nightly", *SCHEDULE, "--params", '{"n": 1}', "--json"))
    assert (made["name"], made["outcome"]) == ("nightly", "created")
    (shown,) = rows(annals(dsn, "schedules", "show", "nightly", "--json"))
    assert shown["params"] == {"n": 1} and len(shown["next_fires"]) == 5  # type: ignore[arg-type]
    (fired,) = rows(annals(dsn, "schedules", "fire", "nightly", "--json"))
    listed = annals(dsn, "schedules", "list").stdout
    assert "nightly" in listed and str(fired["task_id"]) in listed
    assert "02:30 +0" in annals(dsn, "schedules", "show", "nightly").stdout
    for outcome in ("changed", "unchanged"):
        (done,) = rows(annals(dsn, "schedules", "disable", "nightly", "--json"))
        assert done["outcome"] == outcome


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("set", "x", "--cron", "0 25 * * *", "--type", "noop"), 2, "Bad hour"),
        (("set", "x", "--cron", "0 3 * * *", "--type", "nop"), 2, "Nearest known: noop"),
        (("set", "x", *SCHEDULE, "--time-zone", "Europe/Berln"), 2, "Europe/Berlin"),
        (("set", "x", *SCHEDULE, "--params", "[1]"), 2, "JSON object"),
        (("set", "x", *SCHEDULE, "--params", "{"), 2, "no JSON"),
        (("set", "a b", *SCHEDULE), 2, "schedule name"),
        (("show", "nope"), 3, "Schedule not found: nope"),
        (("fire", "nope"), 3, "Schedule not found: nope"),
        (("disable", "nope"), 3, "Schedule not found: nope"),
    ],
)
def test_what_is_wrong_with_a_schedule_ends_with_its_code(
    dsn: str, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = annals(dsn, "schedules", *arguments)
    assert done.returncode == code and says in done.stderr


async def test_parked_events_are_listed_and_given_up(dsn: str) -> None:
    async with await Database.open(SETTINGS.database, dsn) as db:
        (bad,) = await enqueue(db, {"poison": "echo"})
        async with running(db, Echo()):
            await reached(db, "echo", bad)
    (parked,) = rows(await asyncio.to_thread(annals, dsn, "relay", "parked", "--json"))
    assert (parked["follower"], parked["position"], parked["type"]) == ("echo", bad, "task.enqueued")
    unknown = await asyncio.to_thread(annals, dsn, "relay", "resume", "echo", str(bad))
    assert unknown.returncode == 3 and "task_counts" in unknown.stderr
    done = await asyncio.to_thread(annals, dsn, "relay", "resume", "echo", str(bad), "--give-up", "no use")
    assert done.returncode == 0, done.stderr
    assert rows(await asyncio.to_thread(annals, dsn, "relay", "parked", "--json")) == []


def test_counts_are_shown_and_counted_anew(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT enqueue_task('noop') FROM generate_series(1, 3)")
    assert annals(dsn, "relay", "rewind", "task_counts", "--to", "0").returncode == 2, "effects or not?"
    early = annals(dsn, "relay", "rewind", "task_counts", "--to", "0", "--no-effects")
    assert early.returncode == 3 and "Follower not found" in early.stderr
    with relay(dsn, "relay-1"), psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT pg_sleep(0.02), sum(enqueued) FROM task_counts"
        while (connection.execute(query).fetchone() or (None, 0))[1] != 3:
            pass
    (hour,) = rows(annals(dsn, "relay", "counts", "--json"))
    assert (hour["task_type"], hour["enqueued"], hour["completed"]) == ("noop", 3, 0)
    (back,) = rows(annals(dsn, "relay", "rewind", "task_counts", "--to", "0", "--no-effects", "--json"))
    assert (back["follower"], back["now"]) == ("task_counts", 0)
    (hour,) = rows(annals(dsn, "relay", "counts", "--json"))
    assert hour["enqueued"] == 0
