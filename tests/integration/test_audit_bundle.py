"""`annals audit bundle`: tasks of every fate in one file, without the secrets of the configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.audit.bundle import collect
from service.audit.bundle_file import MEMBERS, Bundle, pack, read
from service.audit.lines import Digest, parse_event, parse_footer, parse_header
from service.settings import load
from service.store.pool import Database
from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
PREPARE = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1", "owner": "click.core:x"}]')""",
    "SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 1, code_version => '0.0.9')",
)
# Each task waits in a queue of its own, so that a claim takes no other.
ENQUEUE = """SELECT enqueue_task('noop', params => '{"n": 1.50}', task_id => %(id)s, queue => md5(%(id)s),
                                 max_attempts => 1, correlation_id => 'c-1')"""
CLAIM = "SELECT claim_tasks('w-1', ARRAY[md5(%(id)s)], '{noop}', 1)"
COMPLETE = "SELECT complete_task(%(id)s, %(lease)s, '42', worker_id => 'w-1')"
CANCEL = "SELECT cancel_task(%(id)s, 'not needed')"
CHECKPOINT = (
    """SELECT progress_tasks('w-1', ARRAY[%(id)s], '{2}', '{50}', '{half}', ARRAY['{"at": 5}']::jsonb[])"""
)
FAIL = """SELECT end_attempts('w-1', ARRAY[%(id)s], '{2}', '{failed}', ARRAY['{"error_type": "ValueError",
          "error_message": "no such row", "error_traceback": "Traceback: in handler"}']::jsonb[])"""
STOP = "SELECT end_attempts('w-1', ARRAY[%(id)s], '{2}', '{cancelled}', ARRAY['{}']::jsonb[])"
RESCUE = "SELECT rescue_tasks('w-1', (SELECT seen_at FROM workers WHERE worker_id = 'w-1'))"
RETRY = "SELECT retry_task(%(id)s)"
# Statements, and what the bundle then says: the status, and how each attempt ended.
FATES: dict[str, tuple[tuple[str, ...], str, list[str]]] = {
    "waits": ((), "pending", []),
    "runs": ((CLAIM,), "running", ["open"]),
    "completes": ((CLAIM, COMPLETE), "completed", ["completed"]),
    "fails": ((CLAIM, FAIL), "failed", ["failed"]),
    "is-cancelled": ((CANCEL,), "cancelled", []),
    "is-stopped": ((CLAIM, CANCEL, STOP), "cancelled", ["cancelled"]),
    "is-retried": ((CLAIM, CHECKPOINT, FAIL, RETRY, CLAIM, COMPLETE), "completed", ["failed", "completed"]),
    "is-rescued": ((CLAIM, RESCUE), "pending", ["rescued"]),
}


def live(dsn: str, task_id: str, *statements: str, lease: int = 2) -> None:
    """Enqueue one task and let it live through these statements."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        if connection.execute("SELECT FROM workers").rowcount == 0:
            for statement in PREPARE:
                connection.execute(statement.encode())
        for statement in (ENQUEUE, *statements):
            connection.execute(statement.encode(), {"id": task_id, "lease": lease})


def annals(dsn: str, *arguments: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)} | more
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60)


def made_by_command(dsn: str, task_id: str, folder: Path, **more: str) -> Bundle:
    done = annals(dsn, "audit", "bundle", task_id, cwd=folder, **more)
    assert done.returncode == 0, done.stderr
    return read(folder / f"{task_id}.bundle.zip")


async def bundled(dsn: str, task_id: str, folder: Path) -> Bundle:
    settings = load()
    async with await Database.open(settings.database, dsn) as db:
        members, facts = await collect(db, settings, task_id)
    path = folder / "bundle.zip"
    path.write_bytes(pack(members, facts)[0])
    return read(path)


@pytest.mark.parametrize("fate", FATES)
async def test_each_fate_is_told(database: str, tmp_path: Path, fate: str) -> None:
    statements, status, outcomes = FATES[fate]
    live(database, fate, *statements, lease=6 if fate == "is-retried" else 2)
    task = (await bundled(database, fate, tmp_path)).read_json("task.json")
    assert (task["row"]["status"], [one["outcome"] for one in task["attempts"]]) == (status, outcomes)
    assert task["params"] == {"n": 1.5} and task["row_is_gone"] is False


async def test_an_attempt_has_what_it_began_with_and_how_it_ended(database: str, tmp_path: Path) -> None:
    live(database, "t-1", *FATES["is-retried"][0], lease=6)
    bundle = await bundled(database, "t-1", tmp_path)
    task = bundle.read_json("task.json")
    first, second = task["attempts"]
    assert (first["row"]["checkpoint"], second["row"]["checkpoint"]) == (None, {"at": 5})
    assert (first["row"]["lease"], second["row"]["lease"]) == (2, 6)
    assert first["error_type"] == "ValueError" and first["error_traceback"] == "Traceback: in handler"
    assert second["ended_by"] == "task.completed" and second["result"] == 42
    assert [worker["code_version"] for worker in task["workers"]] == ["0.0.9"]
    assert [entry["code_version"] for entry in task["types"]] == ["1"]
    assert "Traceback: in handler" in bundle.members["README.txt"].decode()


async def test_the_events_are_an_export_of_the_task(database: str, tmp_path: Path) -> None:
    live(database, "t-1", CLAIM, COMPLETE)
    bundle = await bundled(database, "t-1", tmp_path)
    first, *lines, last = bundle.members["events.jsonl"].decode().splitlines()
    header = parse_header(first)
    assert header.selected.tasks == ("t-1",) and header.epoch == bundle.manifest["epoch"]
    digest = Digest()
    events = []
    for line in lines:
        event, short = parse_event(line)
        assert digest.add(event) == short
        events.append(event)
    assert [event.type for event in events] == ["task.enqueued", "task.started", "task.completed"]
    assert '"n": 1.50' in events[0].data, "numbers keep their digits"
    assert parse_footer(last) == (3, digest.hexdigest())


async def test_the_events_can_be_imported_by_themselves(
    database: str, server: Server, template: str, tmp_path: Path
) -> None:
    live(database, "t-1", *FATES["is-retried"][0], lease=6)
    bundle = await bundled(database, "t-1", tmp_path)
    (tmp_path / "events.jsonl").write_bytes(bundle.members["events.jsonl"])
    with server.clone(template) as copy:
        done = annals(copy, "audit", "import", "events.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(copy) as connection:
            (row,) = connection.execute("SELECT to_jsonb(t) - 'lane' FROM background_tasks t").fetchone() or (
                {},
            )
    there = bundle.read_json("task.json")["row"]
    assert row == {name: value for name, value in there.items() if name != "lane"}


async def test_causes_and_effects_on_other_streams_are_there(database: str, tmp_path: Path) -> None:
    live(database, "t-1", CLAIM)
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("SELECT enqueued_position FROM background_tasks").fetchone()
        assert row is not None
        record = {
            "task_id": "t-1",
            "type": "thing.done",
            "stream_type": "thing",
            "stream_id": "1",
            "data": {},
        }
        connection.execute("SELECT enqueue_task('noop', task_id => 'child', causation_id => %s)", row)
        connection.execute("SELECT enqueue_task('noop', task_id => 'sibling', correlation_id => 'c-1')")
        connection.execute("SELECT enqueue_task('noop', task_id => 'stranger')")
        connection.execute(
            "SELECT end_attempts('w-1', '{t-1}', '{2}', '{completed}', ARRAY['{}']::jsonb[], %s::jsonb)",
            [json.dumps([record])],
        )
    lines = (await bundled(database, "t-1", tmp_path)).members["related.jsonl"].decode().splitlines()
    assert [parse_event(line)[0].stream_id for line in lines] == ["child", "sibling", "1"]
    assert [
        parse_event(line)[0].stream_id
        for line in (await bundled(database, "child", tmp_path))
        .members["related.jsonl"]
        .decode()
        .splitlines()
    ] == ["t-1"]


async def test_a_task_whose_row_is_gone_is_told_from_the_log(database: str, tmp_path: Path) -> None:
    live(database, "t-1", CLAIM, FAIL)
    with psycopg.connect(database, autocommit=True) as connection:
        before = connection.execute("SELECT to_jsonb(t) FROM background_tasks t").fetchone()
        connection.execute("SELECT apply_retention('dead_letters', '0'), apply_retention('attempts', '0')")
        assert connection.execute("SELECT FROM background_tasks").fetchone() is None
    task = (await bundled(database, "t-1", tmp_path)).read_json("task.json")
    assert task["row_is_gone"] is True and before is not None
    assert task["row"] == before[0] and task["attempts"][0]["outcome"] == "failed"


def test_no_secret_of_any_layer_is_in_the_file(database: str, tmp_path: Path) -> None:
    live(database, "t-1", CLAIM, COMPLETE)
    file = tmp_path / "more.toml"
    file.write_text("[database]\nlisten_url = \"host=h user=u password='hush listen' dbname=d\"\n")
    secret = database + ("&" if "?" in database else "?") + "password=hush-database"
    more = {"ANNALS_CONFIG": str(file), "ANNALS_API__DEVELOPMENT_KEY": "hush-key"}
    bundle = made_by_command(secret, "t-1", tmp_path, **more)
    assert not [name for name, data in bundle.members.items() if b"hush" in data]
    assert b"hush" not in json.dumps(dict(bundle.manifest)).encode()
    configuration = bundle.read_json("environment.json")["configuration"]
    assert configuration["database"]["listen_url"] == "host=h user=u password=*** dbname=d"
    assert configuration["api"]["development_key"] == "***"
    assert configuration["coverage"]["default_target"] == 10


def test_a_secret_that_somebody_wrote_into_the_log_is_warned_of(database: str, tmp_path: Path) -> None:
    live(database, "t-1")
    more = {"ANNALS_API__DEVELOPMENT_KEY": "1.50"}
    done = annals(database, "audit", "bundle", "t-1", cwd=tmp_path, **more)
    assert done.returncode == 0
    assert "Warning: the value of api.development_key stands in events.jsonl" in done.stderr


def test_the_command_tells_where_the_file_is_and_never_replaces_one(database: str, tmp_path: Path) -> None:
    live(database, "a:b")
    first = annals(database, "audit", "bundle", "a:b", "--json", cwd=tmp_path)
    told: dict[str, Any] = json.loads(first.stdout)
    assert told["file"] == "a_b.bundle.zip" and told["task_id"] == "a:b" and told["events"] == 1
    assert told["digest"] == read(tmp_path / told["file"]).manifest["digest"]
    again = annals(database, "audit", "bundle", "a:b", cwd=tmp_path)
    assert again.returncode == 4 and "--force to replace it" in again.stderr
    forced = annals(database, "audit", "bundle", "a:b", "--force", cwd=tmp_path)
    assert forced.returncode == 0 and "annals replay-local a_b.bundle.zip" in forced.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["a_b.bundle.zip"]


def test_a_task_that_never_was_ends_with_3(database: str, tmp_path: Path) -> None:
    done = annals(database, "audit", "bundle", "nope", cwd=tmp_path)
    assert done.returncode == 3 and "Task not found: nope" in done.stderr and not [*tmp_path.iterdir()]


def test_a_person_reads_it_with_standard_tools(database: str, tmp_path: Path) -> None:
    live(database, "t-1", CLAIM, COMPLETE)
    made_by_command(database, "t-1", tmp_path)
    command = [sys.executable, "-m", "zipfile", "-e", "t-1.bundle.zip", "out"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {*MEMBERS, "manifest.json"}
    assert (tmp_path / "out" / "README.txt").read_text().startswith("Task t-1 of type noop, completed\n")
