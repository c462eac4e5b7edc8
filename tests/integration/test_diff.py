"""What changed between two moments, from the command line and over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.api_server import Api, running

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", "audit", "diff", *arguments]


def environment(dsn: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": dsn, "ANNALS_ENV": "test"}


def diff(dsn: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*map(str, arguments)),
        cwd=ROOT,
        env=environment(dsn),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def document(dsn: str, *arguments: object) -> dict[str, Any]:
    done = diff(dsn, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


async def end(api: Api, outcome: str, **detail: Any) -> None:
    """One task is claimed and its attempt ends."""
    held = await api.db.fetchrow("SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
    assert held
    await api.sql(
        "SELECT outcome FROM end_attempts('w-1', ARRAY[$1], ARRAY[$2::int], ARRAY[$3],"
        " ARRAY[$4::text::jsonb])",
        *(held["task_id"], held["lease"], outcome, json.dumps(detail)),
    )


async def a_morning(api: Api) -> tuple[int, int]:
    """Something of everything; gives the positions before the second half and at the end."""
    for _ in range(2):
        await api.enqueue()
        await end(api, "failed", error_type="OldError", error_message="as ever", retry=False)
    middle = await api.head()
    await api.sql("SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 10)")
    for _ in range(3):
        await api.enqueue()
    await end(api, "completed", duration_ms=1500)
    await end(api, "failed", error_type="NewError", error_message="order 17 is gone", retry=False)
    await api.sql(
        "SELECT cancel_task((SELECT task_id FROM background_tasks WHERE status = 'pending'), 'no need')"
    )
    await api.sql("SELECT pause_queue('default', 'deploy')")
    return middle, await api.head()


async def test_a_diff_tells_each_section(api: Api, database: str) -> None:
    middle, head = await a_morning(api)
    told = document(database, middle, head)
    (tasks,) = told["tasks"]
    counts = {
        name: tasks[name] for name in ("created", "started", "completed", "failed", "cancelled", "timed_out")
    }
    assert counts == {"created": 3, "started": 2, "completed": 1, "failed": 1, "cancelled": 1, "timed_out": 0}
    assert tasks["duration_p95_ms"] > 1000 and tasks["waiting_p50_ms"] >= 0
    states = {row["error_type"]: (row["state"], row["before"], row["occurrences"]) for row in told["errors"]}
    assert states == {"NewError": ("new", 0, 1), "OldError": ("gone quiet", 2, 0)}
    queues = {row["status"]: (row["before"], row["after"]) for row in told["queues"]}
    assert queues == {"failed": (2, 3), "completed": (0, 1), "cancelled": (0, 1)}
    events = {(row["what"], row["subject"], row["reason"]) for row in told["events"]}
    assert events == {
        ("worker.started", "w-1", None),
        ("task.cancelled", "noop", "no need"),
        ("queue.paused", "default", "deploy"),
    }
    assert (told["earlier"], told["later"], told["count"]) == (middle, head, head - middle)


async def test_a_diff_is_read_as_a_sentence_and_tables(api: Api, database: str) -> None:
    middle, head = await a_morning(api)
    text = diff(database, middle).stdout
    first, *rest = text.splitlines()
    assert first.startswith(f"{head - middle} events between position {middle} (")
    assert "3 tasks created, 1 completed, 1 failed, 1 cancelled, 1 new error, 1 gone quiet." in first
    assert [line for line in rest if line in ("Tasks", "Errors", "Coverage", "What else happened")] == [
        "Tasks",
        "Errors",
        "What else happened",
    ]
    assert "2 → 3" in text and "timed_out" not in text


async def test_a_diff_takes_times_and_ages(api: Api, database: str) -> None:
    _, head = await a_morning(api)
    assert document(database, "1h")["later"] == head
    whole = document(database, "2020-01-01", "2999-01-01T00:00Z")
    assert (whole["earlier"], whole["earlier_at"], whole["later"]) == (0, None, head)


async def test_a_diff_without_a_change_says_so(api: Api, database: str) -> None:
    _, head = await a_morning(api)
    same = diff(database, head, head)
    assert same.stdout.startswith("Nothing changed between ") and len(same.stdout.splitlines()) == 1


async def test_a_diff_refuses_what_it_cannot_answer(api: Api, database: str) -> None:
    _, head = await a_morning(api)
    swapped = diff(database, head, 1)
    assert swapped.returncode == 2 and "Swap them" in swapped.stderr
    assert diff(database, 0, head + 1000).returncode == 2
    assert diff(database, "soon").returncode == 2
    async with api.db.transaction():
        await api.sql("SELECT enqueue_task('noop')")
        unsettled = diff(database, 0, head + 1)
    assert unsettled.returncode == 4 and "not settled" in unsettled.stderr


async def test_the_route_answers_what_the_command_does(api: Api, database: str) -> None:
    middle, head = await a_morning(api)
    answer = await api.call("GET", f"/log/diff?from={middle}&to={head}")
    assert (answer.status, answer.headers["X-Position"]) == (200, str(head))
    assert answer.json == document(database, middle, head)
    assert (await api.call("GET", f"/log/diff?from={middle}")).json == answer.json


@pytest.mark.parametrize("query", ["", "?from=x", "?from=5&to=1", "?from=0&to=999999999", "?from=0&till=1"])
async def test_the_route_refuses_bad_moments(api: Api, query: str) -> None:
    await a_morning(api)
    assert (await api.call("GET", f"/log/diff{query}")).status == 422


WAITING = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'coverage_history'::regclass"


def test_an_interrupted_diff_leaves_no_statement_behind(database: str) -> None:
    with psycopg.connect(database) as holder, psycopg.connect(database, autocommit=True) as watch:
        holder.execute("LOCK TABLE coverage_history IN ACCESS EXCLUSIVE MODE")
        with subprocess.Popen(command("0"), cwd=ROOT, env=environment(database)) as child:
            until(lambda: watch.execute(WAITING).fetchall() != [])
            child.send_signal(signal.SIGINT)
            assert child.wait(PATIENCE) == 130
        until(lambda: watch.execute(WAITING).fetchall() == [])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come to it"
        time.sleep(0.02)  # a lock wait rings no bell: it can only be looked for
