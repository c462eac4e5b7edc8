"""The commands `annals audit export|import`: files, formats, pipes, signals, and how they end."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from service.audit.parquet import FOOTER, HEADER
from tests.carrying import NAMES, Clone, cloning, is_empty
from tests.model.database import session

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]
LIFE = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT enqueue_task('noop', task_id => 't-1'), enqueue_task('noop', task_id => 't-2')",
    "SELECT claim_tasks('w-1', '{default}', '{noop}', 1)",
    "SELECT complete_task('t-1', 2, '42')",
)


@pytest.fixture(scope="module")
def clone(server: "Server", template: str) -> Clone:
    return cloning(server, template)


@pytest.fixture(scope="module")
def lived(clone: Clone) -> Iterator[str]:
    """A database with four events."""
    with clone() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        for statement in LIFE:
            connection.execute(statement.encode())
        yield dsn


def started(dsn: str, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "service", "audit", *arguments],
        env=os.environ | {"DATABASE_URL": dsn},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def annals(dsn: str, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    process = started(dsn, *arguments, stdin=subprocess.PIPE)
    output, errors = process.communicate(given, timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_exported_can_be_imported_and_verified(
    lived: str, clone: Clone, tmp_path: Path, name: str
) -> None:
    form = "parquet" if name.endswith("parquet") else "jsonl"
    done = annals(lived, "export", "--format", form, "--output", str(tmp_path / name), "--json")
    assert done.returncode == 0, done.stderr
    exported = json.loads(done.stdout)
    assert (exported["events"], exported["last_position"]) == (4, 4)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with clone() as other:
        imported = annals(other, "import", str(tmp_path / name))
        assert imported.returncode == 0, imported.stderr
        first, *left_out = imported.stdout.splitlines()
        assert first == "4 events imported, up to position 4; the digest agrees."
        assert "documents and taxonomies" in left_out[0] and "epoch" in left_out[1] and len(left_out) == 2
        assert annals(other, "verify").returncode == 0
        again = annals(other, "import", str(tmp_path / name), "--json")
        assert again.returncode == 4 and "the log is not empty" in json.loads(again.stderr)["message"]


def test_lines_go_through_a_pipe(lived: str, clone: Clone) -> None:
    exported = annals(lived, "export", "--task", "t-1", "--output", "-")
    header, *events, footer = map(json.loads, exported.stdout.splitlines())
    assert header["selected"]["tasks"] == ["t-1"]
    assert [event["type"] for event in events] == ["task.enqueued", "task.started", "task.completed"]
    assert footer["events"] == 3 and footer["digest"] in exported.stderr
    with clone() as other:
        imported = annals(other, "import", "-", "--json", given=exported.stdout)
        assert json.loads(imported.stdout) == {
            "events": 3,
            "last_position": 4,
            "digest": footer["digest"],
            "from_epoch": header["epoch"],
        }


def test_a_reader_of_the_pipe_may_leave(lived: str) -> None:
    process = started(lived, "export", "--output", "-")
    assert process.stdout and process.stderr
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)


def test_times_choose_what_is_exported(lived: str) -> None:
    for option, count in (("--from", 0), ("--to", 4)):
        done = annals(lived, "export", option, "2100-01-01", "--output", "-")
        assert json.loads(done.stdout.splitlines()[-1])["events"] == count
    both = annals(lived, "export", "--from", "2", "--to", "3", "--output", "-")
    assert [json.loads(line)["position"] for line in both.stdout.splitlines()[1:-1]] == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--from", "9"], 2, "is nothing"),
        (["--to", "9"], 2, "the log has no position 9"),
        (["--from", "3", "--to", "1"], 2, "is nothing"),
        (["--task", "nope"], 3, "Task not found: nope"),
        (["--format", "parquet"], 2, "a file of its own"),
        (["--output", "log.jsonl.zst"], 2, "only .gz can be written"),
        (["--output", "/nowhere/log.jsonl"], 1, "/nowhere/log.jsonl cannot be written: No such file"),
    ],
)
def test_what_cannot_be_exported_is_said(lived: str, arguments: list[str], code: int, complaint: str) -> None:
    output = [] if "--output" in arguments else ["--output", "-"]
    done = annals(lived, "export", *arguments, *output)
    assert done.returncode == code and complaint in done.stderr, done.stderr


def test_a_file_that_is_not_there_ends_with_3(lived: str) -> None:
    done = annals(lived, "import", "/nowhere/log.jsonl")
    assert done.returncode == 3 and "cannot be read" in done.stderr


def test_an_interrupted_export_leaves_what_was_there(lived: str, tmp_path: Path) -> None:
    """A lock holds it back at its first read; the signal comes, then the lock is let go."""
    path = tmp_path / "log.jsonl"
    path.write_text("an older one")
    with psycopg.connect(lived) as holder:
        holder.execute("LOCK TABLE events")
        process = started(lived, "export", "--output", str(path))
        wait_for_lock(lived, process)
        process.send_signal(signal.SIGINT)
        holder.rollback()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Interrupted: nothing was written." in errors
    assert path.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_import_ends_with_130_and_leaves_nothing(
    lived: str, clone: Clone, tmp_path: Path
) -> None:
    """Also while it waits for a writer that does not end."""
    path = tmp_path / "log.jsonl"
    assert annals(lived, "export", "--output", str(path)).returncode == 0
    with clone() as other:
        with psycopg.connect(other) as holder:
            holder.execute("LOCK TABLE queues")
            process = started(other, "import", str(path))
            wait_for_lock(other, process)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 130 and "Interrupted: nothing was imported." in errors
        with session(other) as s:
            assert is_empty(s)


def wait_for_lock(dsn: str, process: "subprocess.Popen[str]") -> None:
    with psycopg.connect(dsn, autocommit=True) as watch:
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        while process.poll() is None and watch.execute(waiting).fetchone() == (0,):
            pass


def test_parquet_has_typed_columns_and_the_digest_of_the_lines(lived: str, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    path = tmp_path / "log.parquet"
    done = annals(lived, "export", "--format", "parquet", "--output", str(path))
    lines = annals(lived, "export", "--output", "-").stdout.splitlines()
    table = parquet.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "position": "int64",
        "stream_type": "string",
        "stream_id": "string",
        "version": "int32",
        "type": "string",
        "data": "string",
        "actor": "string",
        "correlation_id": "string",
        "causation_id": "int64",
        "trace": "string",
        "recorded_at": "timestamp[us, tz=UTC]",
    }
    known = parquet.ParquetFile(path).metadata.metadata
    assert json.loads(known[FOOTER]) == json.loads(lines[-1])
    assert json.loads(known[HEADER])["epoch"] == json.loads(lines[0])["epoch"]
    assert [json.loads(text) for text in table["data"].to_pylist()] == [
        json.loads(line)["data"] for line in lines[1:-1]
    ]
    assert json.loads(lines[-1])["digest"] in done.stderr


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("actor", ["x", "x", "x", "x"], "the digest of the events is"),
        ("position", [1, 3, 2, 4], "row 3: position 2 comes after position 3"),
        ("position", [1, 2, 2, 4], "row 3: position 2 is there twice"),
        ("version", [0, 1, 1, 1], "row 1: version is 0"),
        ("position", None, "columns of the Parquet file are not those"),
    ],
)
def test_a_changed_parquet_file_is_refused(
    lived: str, clone: Clone, tmp_path: Path, column: str, values: list[Any] | None, complaint: str
) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    path = tmp_path / "log.parquet"
    annals(lived, "export", "--format", "parquet", "--output", str(path))
    known = parquet.ParquetFile(path).metadata.metadata
    table = parquet.read_table(path)
    place = table.schema.get_field_index(column)
    if values is None:
        table = table.remove_column(place)
    else:
        table = table.set_column(
            place, table.schema.field(place), pyarrow.array(values, table.schema.types[place])
        )
    kept = {name: known[name] for name in (HEADER, FOOTER)}
    parquet.write_table(table.replace_schema_metadata(kept), path)
    with clone() as other:
        done = annals(other, "import", str(path))
        assert done.returncode == 2 and complaint in done.stderr, done.stderr
        with session(other) as s:
            assert is_empty(s)


@pytest.mark.parametrize(
    "content", [b"PAR1", b"PAR1" * 10, gzip.compress(b"x", mtime=0), b"\x1f\x8b\x08", b"\0", b""]
)
def test_a_file_that_is_no_export_ends_with_2(lived: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    done = annals(lived, "import", str(path))
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


def test_without_pyarrow_parquet_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from service.audit.parquet import NotInstalled, ParquetSource

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1")
    with path.open("rb") as file, pytest.raises(NotInstalled) as caught:
        ParquetSource(file)
    assert "annals[parquet]" in caught.value.hint


@pytest.mark.parametrize("command", ["export", "import"])
def test_help_has_an_example(lived: str, command: str) -> None:
    assert "Example: " in annals(lived, command, "--help").stdout
