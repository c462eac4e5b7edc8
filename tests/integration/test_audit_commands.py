"""The commands `annals audit ...`: what they print, and how they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]


def annals(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=os.environ | {"DATABASE_URL": dsn},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def records(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def lived(database: str) -> str:
    """A database with one completed task and one that waits; the DSN."""
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (
            """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
            "SELECT enqueue_task('noop', task_id => 't-1'), enqueue_task('noop', task_id => 't-2')",
            "SELECT claim_tasks('w-1', '{default}', '{noop}', 1)",
            "SELECT complete_task('t-1', 2, '42')",
        ):
            connection.execute(statement.encode())
    return database


def tamper(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE background_tasks SET result = '43' WHERE task_id = 't-1'")


def test_a_verify_without_findings_ends_with_0(lived: str) -> None:
    done = annals(lived, "audit", "verify")
    assert done.returncode == 0, done.stderr
    assert "4 events of 2 streams folded: every row is what the log says" in done.stdout


def test_findings_end_with_1_and_a_rebuild_mends_them(lived: str) -> None:
    tamper(lived)
    found = annals(lived, "audit", "verify", "--read-model", "background_tasks")
    assert found.returncode == 1
    assert "task_id=t-1" in found.stdout and "no version explains result" in found.stdout
    mended = annals(lived, "audit", "rebuild", "background_tasks")
    assert mended.returncode == 0 and "background_tasks: 1 row replaced" in mended.stdout
    assert "the log says result 42; background_tasks says result 43" in mended.stdout
    assert annals(lived, "audit", "verify").returncode == 0


def test_json_gives_a_line_for_each_finding_and_one_for_the_whole(lived: str) -> None:
    tamper(lived)
    finding, whole = records(annals(lived, "audit", "verify", "--json"))
    assert (finding["kind"], finding["stream"], finding["unexplained"]) == ("differs", "task/t-1", ["result"])
    assert (whole["streams"], whole["events"], whole["findings"]) == (2, 4, 1)
    row, mended = records(annals(lived, "audit", "rebuild", "background_tasks", "--json"))
    assert (row["row_key"], row["columns"]) == ({"task_id": "t-1"}, ["result"])
    assert mended == {
        "read_model": "background_tasks",
        "streams": 2,
        "events": 4,
        "rows": 1,
        "unfoldable": 0,
        "interrupted": False,
    }


def test_a_rebuild_leaves_what_cannot_be_folded_and_ends_with_1(lived: str) -> None:
    tamper(lived)
    with psycopg.connect(lived, autocommit=True) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
        connection.execute("UPDATE events SET type = 'task.exploded' WHERE stream_id = 't-2'")
    done = annals(lived, "audit", "rebuild", "background_tasks", "--json")
    assert done.returncode == 1
    row, left, whole = records(done)
    assert (row["kind"], row["stream"]) == ("differs", "task/t-1")
    assert (left["kind"], left["stream"]) == ("unfoldable", "task/t-2")
    assert "event 1 cannot be folded: project_tasks was not taught" in left["explanation"]
    assert (whole["rows"], whole["unfoldable"]) == (1, 1)
    again = annals(lived, "audit", "rebuild", "background_tasks")
    assert (
        again.returncode == 1
        and "Streams that cannot be folded, their rows left as they are: 1" in again.stdout
    )


def test_an_unknown_read_model_ends_with_3_and_the_known_ones(lived: str) -> None:
    for command in (("verify", "--read-model", "nope"), ("rebuild", "nope")):
        done = annals(lived, "audit", *command)
        assert done.returncode == 3
        assert "Read model not found: nope" in done.stderr and "background_tasks" in done.stderr


@pytest.mark.parametrize("command", [("verify",), ("rebuild", "background_tasks")])
def test_an_interruption_cuts_the_chunk_off_and_ends_with_130(lived: str, command: tuple[str, ...]) -> None:
    """A lock holds it back at its first chunk, and is not let go: the statement itself is given up."""
    tamper(lived)
    with psycopg.connect(lived) as holder, psycopg.connect(lived, autocommit=True) as watch:
        holder.execute("LOCK TABLE shadow.events")
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "audit", *command],
            env=os.environ | {"DATABASE_URL": lived},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'shadow.events'::regclass"
        while process.poll() is None and watch.execute(waiting).fetchone() == (0,):
            pass
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "0 events of 0 streams folded" in output and "until then" in output
    assert "Interrupted: the rest, at most 4 events and rows without any, was" in output


@pytest.mark.parametrize("command", [(), ("verify",), ("rebuild",), ("replay",)])
def test_help_has_an_example(lived: str, command: tuple[str, ...]) -> None:
    assert "Example: annals audit" in annals(lived, "audit", *command, "--help").stdout
