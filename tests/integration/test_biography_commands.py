"""The commands `annals audit replay` and `annals tasks why`, run as a person or a script runs them."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
AGENT = "5f3c0c5e-0000-4000-8000-000000000001"
ERROR = '{"error_type": "ValueError", "error_message": "no\\nway", "error_traceback": "Traceback\\n  here"}'
LIFE = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 1)",
    "SELECT enqueue_task('noop', '{\"n\": 1}', task_id => 't-1')",
    "SELECT claim_tasks('w-1', '{default}', '{noop}', 1)",
    *["SELECT progress_tasks('w-1', '{t-1}', '{2}', '{50}', '{reading}', ARRAY[NULL]::jsonb[])"] * 5,
    f"SELECT end_attempts('w-1', '{{t-1}}', '{{2}}', '{{failed}}', ARRAY['{ERROR}']::jsonb[])",
)


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
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def lived(database: str) -> str:
    """A database with a task that failed once after five reports of progress; the DSN."""
    execute(database, *LIFE)
    return database


def test_json_has_every_event_and_where_the_time_went(lived: str) -> None:
    *told, whole = records(annals(lived, "audit", "replay", "t-1", "--json"))
    assert [step["type"] for step in told] == [
        "task.enqueued",
        "task.started",
        *["task.progressed"] * 5,
        "task.retry_scheduled",
    ]
    assert [step["status"] for step in told] == ["pending", *["running"] * 6, "pending"]
    assert told[0]["gap_ms"] is None and told[1]["gap_ms"] > 0
    assert (
        told[-1]["reason"] == "ValueError: no" and told[-1]["data"]["error_traceback"] == "Traceback\n  here"
    )
    assert told[1]["changes"] == {
        "status": ["pending", "running"],
        "attempt": [0, 1],
        "worker_id": [None, "w-1"],
    }
    assert whole["facts"]["params"] == {"n": 1}
    assert abs(sum(phase["share"] for phase in whole["time_spent"]) - 1) < 1e-9


def test_until_a_position_or_a_time_tells_the_beginning(lived: str) -> None:
    *told, _ = records(annals(lived, "audit", "replay", "t-1", "--json"))
    second = told[1]
    for moment in (str(second["position"]), second["recorded_at"]):
        *until, whole = records(annals(lived, "audit", "replay", "t-1", "--until", moment, "--json"))
        assert until == told[:2]
        assert {phase["phase"] for phase in whole["time_spent"]} == {"queued"}
    early = annals(lived, "audit", "replay", "t-1", "--until", "1")
    assert (early.returncode, early.stdout) == (3, "") and "Task not found at position 1: t-1" in early.stderr
    beyond = annals(lived, "audit", "replay", "t-1", "--until", "4711")
    assert beyond.returncode == 2 and "the log has no position 4711" in beyond.stderr


def test_a_pipe_gets_a_line_for_each_event_and_each_phase(lived: str) -> None:
    lines = annals(lived, "audit", "replay", "t-1").stdout.splitlines()
    assert lines[0].split() == [
        *("position", "recorded_at", "gap", "type", "status", "attempt", "actor", "reason", "changes")
    ]
    assert len([line for line in lines if "task.progressed" in line]) == 5
    assert "ValueError: no" in lines[8] and "\x1b" not in "".join(lines)
    assert lines[9] == "" and lines[10].split() == ["phase", "seconds", "share"]
    assert lines[-1].split()[0] == "backoff"


def test_a_terminal_gets_colours_and_folded_events(lived: str) -> None:
    text = at_a_terminal(lived, "audit", "replay", "t-1")
    assert "5 times in" in text and "\x1b[" in text and "Where the time went" in text
    assert "5 times in" not in at_a_terminal(lived, "audit", "replay", "t-1", "--full")


def at_a_terminal(dsn: str, *arguments: str) -> str:
    """What a command writes to a terminal of its own."""
    master, slave = pty.openpty()
    environment = os.environ | {"DATABASE_URL": dsn, "TERM": "xterm", "COLUMNS": "140"}
    command = [sys.executable, "-m", "service", *arguments]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=slave) as process:
        os.close(slave)
        written = bytearray()
        try:
            while chunk := os.read(master, 65536):
                written += chunk
        except OSError:  # EIO: the other side has gone
            pass
        finally:
            os.close(master)
    assert process.returncode == 0
    return written.decode()


def test_a_task_whose_row_is_gone_still_has_its_life(lived: str) -> None:
    execute(
        lived,
        f"SELECT enqueue_task('noop', task_id => 't-2', subject => 'agent:{AGENT}')",
        f"SELECT append_events(ARRAY[ROW('agent', '{AGENT}', 'agent.deleted', '{{}}', NULL, NULL, NULL, NULL)"
        "::event_draft])",
    )
    *told, _ = records(annals(lived, "audit", "replay", "t-2", "--json"))
    assert [step["type"] for step in told] == ["task.enqueued", "agent.deleted"]
    assert told[1]["status"] is None
    assert "its agent was deleted" in annals(lived, "tasks", "why", "t-2").stdout


def test_a_task_that_never_was_ends_with_3(lived: str) -> None:
    for command in (("audit", "replay"), ("tasks", "why")):
        done = annals(lived, *command, "nope")
        assert (done.returncode, done.stdout) == (3, "")
        assert "Task not found: nope" in done.stderr


def test_an_interrupted_replay_ends_with_130(lived: str) -> None:
    """A lock holds it back; the signal comes, and the lock stays."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass"
    with psycopg.connect(lived) as holder, psycopg.connect(lived, autocommit=True) as watch:
        holder.execute("LOCK TABLE events")
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "audit", "replay", "t-1"],
            env=os.environ | {"DATABASE_URL": lived},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and watch.execute(waiting).fetchone() == (0,):
            pass
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")


def test_why_is_a_sentence_then_the_other_causes_then_the_facts(lived: str) -> None:
    execute(lived, "SELECT pause_queue('default', 'provider down', 'api:ops')")
    execute(lived, "SELECT enqueue_task('noop', task_id => 't-2', run_at => now() + interval '1 day')")
    lines = annals(lived, "tasks", "why", "t-2").stdout.splitlines()
    assert lines[0].startswith("Waits for the pause of queue 'default' to end: paused ")
    assert lines[0].endswith(" ago by api:ops ('provider down').")
    assert lines[1].startswith("Also: Waits for its time: due in 24 h, at ")
    assert lines[2] == "" and lines[3].split() == ["fact", "value"]
    facts = {line.split()[0]: line.split(maxsplit=1)[1].strip() for line in lines[4:]}
    assert facts["state"] == "pending, queue_paused, blocked"
    assert facts["pause.reason"] == "provider down" and facts["workers.named.1.worker_id"] == "w-1"


def test_why_as_json_is_the_row_of_why_pending(lived: str) -> None:
    # Not due for an hour: what is due a moment later would have two answers.
    execute(lived, "SELECT enqueue_task('noop', task_id => 't-2', run_at => now() + interval '1 hour')")
    [told] = records(annals(lived, "tasks", "why", "t-2", "--json"))
    with psycopg.connect(lived) as connection:
        row = connection.execute("SELECT status, blocked, reason FROM why_pending('t-2')").fetchone()
    assert (told["status"], told["blocked"], told["reason"]) == row
    assert told["facts"]["causes"][0]["sentence"] == told["sentence"]


@pytest.mark.parametrize("command", [("audit", "replay"), ("tasks", "why")])
def test_help_has_an_example(lived: str, command: tuple[str, ...]) -> None:
    assert f"Example: annals {' '.join(command)} task-100000001" in annals(lived, *command, "--help").stdout
