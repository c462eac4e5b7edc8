"""The commands over the database, run as a person or a script runs them."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from service.errors import NotFound
from service.store import psql as psql_module
from service.store.migrate import OBJECTS
from service.store.schema import known_migrations

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30
LISTENERS = "SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"


def environment(dsn: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": dsn, "ANNALS_ENV": "test"}


def annals(dsn: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(dsn), input=given, capture_output=True, text=True, timeout=PATIENCE
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def filled(database: str) -> str:
    """A database with task-a (pending), task-b (failed) and task-c (cancelled)."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("""SELECT publish_task_types('[{"task_type": "noop", "max_attempts": 1}]')""")
        for name in ("b", "a", "c"):
            db.execute("SELECT enqueue_task('noop', task_id => %s)", [f"task-{name}"])
        db.execute("SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
        db.execute("SELECT fail_task('task-b', 2, 'it broke')")
        db.execute("SELECT cancel_task('task-c')")
    return database


def test_migrate_tells_what_it_did_and_then_that_there_is_nothing_to_do(server, database: str) -> None:
    name = f"{database.rsplit('/', 1)[1].split('?')[0]}_cli"
    server.execute("CREATE DATABASE {} TEMPLATE template0", name)
    try:
        dsn = server.dsn(name)
        pending = annals(dsn, "migrate", "--check", "--json")
        assert pending.returncode == 1
        assert [json.loads(line)["pending"] for line in pending.stdout.splitlines()] == [
            *known_migrations(),
            OBJECTS,
        ]
        not_yet = annals(dsn, "tasks", "list")
        assert not_yet.returncode == 4 and "annals migrate" in not_yet.stderr
        assert lines(annals(dsn, "migrate", "--json")) == [
            {"migrations": known_migrations(), "objects": True}
        ]
        assert annals(dsn, "migrate").stdout == "The database is up to date.\n"
        assert annals(dsn, "migrate", "--check").returncode == 0
        assert lines(annals(dsn, "migrate", "--down", "1", "--json")) == [
            {"rolled_back": known_migrations()[-1]}
        ]
        assert annals(dsn, "migrate", "--check").returncode == 1
        assert annals(dsn, "migrate", "--check", "--down", "1").returncode == 2
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


def test_tasks_are_listed_newest_first_and_filtered(filled: str) -> None:
    assert [task["task_id"] for task in lines(annals(filled, "tasks", "list", "--json"))] == [
        "task-c",
        "task-a",
        "task-b",
    ]
    (failed,) = lines(annals(filled, "tasks", "list", "--status", "failed", "--since", "1h", "--json"))
    assert (failed["task_id"], failed["error"], failed["created_at"][-1]) == ("task-b", "it broke", "Z")
    plain = annals(filled, "tasks", "list", "--limit", "2").stdout.splitlines()
    assert plain[0].split()[:3] == ["task_id", "type", "status"] and len(plain) == 3
    assert annals(filled, "tasks", "list", "--queue", "none").stdout == "No such tasks.\n"


@pytest.mark.parametrize("since", ["yesterday", "12x", "2026-13-01"])
def test_what_is_no_time_is_wrong_usage(filled: str, since: str) -> None:
    done = annals(filled, "tasks", "list", "--since", since)
    assert done.returncode == 2 and "is no time" in done.stderr


def test_a_task_is_shown_with_its_attempts_and_its_place(filled: str) -> None:
    (task,) = lines(annals(filled, "tasks", "show", "task-b", "--json"))
    assert [(a["attempt"], a["status"], a["error_message"]) for a in task["attempts"]] == [
        (1, "failed", "it broke")
    ]
    (waiting,) = lines(annals(filled, "tasks", "show", "task-a", "--json"))
    assert (waiting["status"], waiting["queue_position"]) == ("pending", 1)
    assert "it broke" in annals(filled, "tasks", "show", "task-b").stdout
    missing = annals(filled, "tasks", "show", "task-none", "--json")
    assert missing.returncode == 3 and json.loads(missing.stderr)["error"] == "not_found"


def test_a_file_is_enqueued_in_batches_and_under_a_key_only_once(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(f'{{"task_type": "noop", "params": {{"n": {n}}}}}\n' for n in range(25)))
    command = ("tasks", "enqueue", str(file), "--batch", "10", "--key", "import-1")
    assert lines(annals(filled, *command, "--json")) == [{"enqueued": 25, "duplicate": 0}]
    again = annals(filled, *command)
    assert again.returncode == 0 and "25 tasks" in again.stdout
    with psycopg.connect(filled) as db:
        assert db.execute("SELECT count(*) FROM background_tasks").fetchone() == (28,)
    file.write_text(file.read_text().replace('"n": 3}', '"n": 33}'))
    assert annals(filled, *command).returncode == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"task_type": "noop"}\nnonsense\n', "Line 2 is no JSON"),
        ("[1]\n", "Line 1 is no JSON object"),
        ('{"task_type": "noop"}\n\n{"task_type": "nop"}\n', "In the batch from line 3"),
    ],
)
def test_a_bad_line_is_named_and_what_came_before_stays(filled: str, text: str, said: str) -> None:
    done = annals(filled, "tasks", "enqueue", "-", "--batch", "1", given=text)
    assert done.returncode == 2 and said in done.stderr
    with psycopg.connect(filled) as db:
        (count,) = db.execute("SELECT count(*) FROM background_tasks WHERE status = 'pending'").fetchone()
    assert count == 1 + text.count('"noop"')


def test_a_file_whose_webhook_may_not_be_called_is_refused(filled: str) -> None:
    for url in ("http://127.0.0.1.evil.example/", "https://10.0.0.1/hook", "https://a:b@example.com/"):
        text = json.dumps({"task_type": "noop", "webhook_url": url})
        done = annals(filled, "tasks", "enqueue", "-", given=text)
        assert done.returncode == 2 and "Bad webhook_url" in done.stderr, done
    local = json.dumps({"task_type": "noop", "webhook_url": "http://localhost:9000/hook"})
    assert annals(filled, "tasks", "enqueue", "-", given=local).returncode == 0


def test_cancel_and_retry_end_with_a_code_that_tells_the_worst(filled: str) -> None:
    assert (
        lines(annals(filled, "tasks", "cancel", "task-a", "--reason", "enough", "--json"))[0]["outcome"]
        == "cancelled"
    )
    assert annals(filled, "tasks", "cancel", "task-a").returncode == 4
    assert annals(filled, "tasks", "retry", "task-none", "task-a").returncode == 3
    (event,) = [
        e
        for e in lines(annals(filled, "events", "show", "task-a", "--json"))
        if e["type"] == "task.cancelled"
    ]
    assert event["data"] == {"reason": "enough"} and event["actor"].startswith("psql:")


def test_events_are_shown_by_task_by_stream_and_by_position(filled: str) -> None:
    by_task = lines(annals(filled, "events", "show", "task-b", "--json"))
    assert [event["type"] for event in by_task] == ["task.enqueued", "task.started", "task.failed"]
    assert lines(annals(filled, "events", "show", "task/task-b", "--json")) == by_task
    assert lines(annals(filled, "events", "show", str(by_task[0]["position"]), "--json")) == by_task[:1]
    assert "task.failed" in annals(filled, "events", "show", "task-b").stdout
    assert annals(filled, "events", "show", "999999").returncode == 3


def test_a_tail_that_does_not_follow_resumes_at_its_cursor(filled: str) -> None:
    everything = lines(annals(filled, "events", "tail", "--no-follow", "--json", "--after", "0"))
    assert [event["version"] for event in everything if event["stream_id"] == "task-b"] == [1, 2, 3]
    third = everything[2]["cursor"]
    rest = lines(annals(filled, "events", "tail", "--no-follow", "--json", "--after", third))
    assert rest == everything[3:]
    assert lines(annals(filled, "events", "tail", "--no-follow", "--json", "-n", "1")) == everything[-1:]
    some = lines(
        annals(filled, "events", "tail", "--no-follow", "--json", "--after", "0", "--type", "task.failed")
    )
    assert [event["stream_id"] for event in some] == ["task-b"]
    stream = lines(
        annals(filled, "events", "tail", "--no-follow", "--json", "--after", "0", "--stream", "task/task-c")
    )
    assert [event["type"] for event in stream] == ["task.enqueued", "task.cancelled"]


@pytest.mark.parametrize(
    ("after", "code"), [("00000000-0000-4000-8000-000000000000:1", 4), ("999999", 4), ("x", 2), ("-1", 2)]
)
def test_a_cursor_of_another_log_or_beyond_the_end_is_refused(filled: str, after: str, code: int) -> None:
    done = annals(filled, "events", "tail", "--no-follow", "--after", after)
    assert done.returncode == code and "--after" in done.stderr


async def test_a_tail_prints_what_comes_and_ends_with_sigterm(filled: str) -> None:
    tail = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "events", "tail", "-n", "0", "--json"),
        cwd=ROOT,
        env=environment(filled),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        with psycopg.connect(filled, autocommit=True) as db:
            while not db.execute(LISTENERS).rowcount:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # how often to ask: another process tells nobody that it listens
            db.execute("SELECT enqueue_task('noop', task_id => 'task-live')")
        event = json.loads(await tail.stdout.readline())
        assert (event["type"], event["stream_id"]) == ("task.enqueued", "task-live")
        tail.terminate()
        assert await tail.wait() == 0
    assert (await tail.stderr.read()) == b""


def test_a_reader_that_goes_away_ends_the_command_quietly(filled: str) -> None:
    tail = f"{sys.executable} -m service events tail --no-follow --after 0 --json"
    command = f"{tail} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment(filled), capture_output=True, text=True
    )
    # It was done before the reader went away, or noticed.
    assert done.stderr == "" and done.stdout.splitlines()[-1] in ("0", "1")


def test_psql_runs_on_the_database_with_its_arguments(filled: str) -> None:
    done = annals(
        filled, "psql", "-At", "-c", "SELECT count(*) FROM background_tasks", "-c", "SHOW search_path"
    )
    assert (done.returncode, done.stdout) == (0, "3\npublic\n"), done.stderr
    assert (
        annals(
            filled, "psql", "-At", given="SELECT task_id FROM background_tasks WHERE status = 'failed'"
        ).stdout
        == "task-b\n"
    )
    assert annals(filled, "psql", "-c", "SELECT nonsense").returncode == 1
    assert "annals psql" in annals(filled, "psql", "--help").stdout


def test_dsn_prints_what_leads_to_the_database(filled: str) -> None:
    printed = annals(filled, "dsn").stdout.strip()
    with psycopg.connect(printed) as db:
        assert db.execute("SELECT count(*) FROM background_tasks").fetchone() == (3,)


def test_an_absent_database_is_exit_code_5() -> None:
    done = annals("postgresql://nobody@127.0.0.1:1/none", "migrate")
    assert done.returncode == 5 and "not available" in done.stderr


def test_a_tail_for_people_has_a_line_for_each_event(filled: str) -> None:
    printed = annals(filled, "events", "tail", "--no-follow", "--after", "0").stdout.splitlines()
    assert len(printed) == 6 and "task/task-b" in printed[0] and "task.enqueued" in printed[0]


def test_the_psql_that_is_named_comes_first_and_none_at_all_is_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(psql_module, "WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(NotFound) as missing:
        psql_module.find()
    assert "PG_BIN" in missing.value.hint
    (tmp_path / "psql").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "psql").chmod(0o755)
    assert psql_module.run("postgresql:///x", []) == 137


def test_a_password_is_not_among_psqls_arguments(monkeypatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    told = psql_module.environment("postgresql://me:secret@h1,h2:5433/name?sslmode=require")
    assert (told["PGPASSWORD"], told["PGHOST"], told["PGUSER"]) == ("secret", "h1,h2", "me")
    assert (told["PGDATABASE"], told["PGSSLMODE"]) == ("name", "require")
    assert "search_path=public" in told["PGOPTIONS"] and "work_mem=9MB" in told["PGOPTIONS"]
