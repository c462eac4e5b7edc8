"""Migrating: up, again, back, beside others, and what it says when it cannot."""

import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.embedded.binaries import installed
from service.errors import DatabaseUnavailable, Invalid
from service.resources import migrations_dir
from service.store import migrate as migrating
from service.store import objects
from service.store.migrate import OBJECTS, Applied, MigrationFailed, check, down, migrate
from service.store.schema import known_migrations


@pytest.fixture
def empty(server) -> Iterator[str]:
    """The DSN of a database in which nothing ever was."""
    name = f"annals_empty_{uuid.uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {{}} TEMPLATE template0 STRATEGY {server.strategy}", name)
    yield server.dsn(name)
    server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may change."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrations_dir(), copy)
    for module in ("service.store.numbered", "service.store.objects", "service.store.schema"):
        monkeypatch.setattr(f"{module}.migrations_dir", lambda: copy)
    return copy


def query(dsn: str, statement: str) -> list[tuple]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def amend(file: Path, number: int = 0) -> None:
    file.write_text(f"{file.read_text()}\n-- change {number}\n")


def dump(dsn: str) -> str:
    """The schema as pg_dump prints it, without what differs from run to run."""
    program = newest_pg_dump()
    if program is None:
        pytest.skip("no pg_dump on this machine")
    done = subprocess.run([program, "--schema-only", "--no-owner", dsn], capture_output=True, text=True)
    if "server version mismatch" in done.stderr:
        pytest.skip("pg_dump is older than the server")
    assert done.returncode == 0, done.stderr
    lines = [
        line
        for line in done.stdout.splitlines()
        if line and not line.startswith(("--", "SET ", "SELECT ", "\\"))
    ]
    return "\n".join(lines)


def newest_pg_dump() -> str | None:
    """The one that came with the embedded server, else the one on the PATH."""
    for found in installed():
        if (found.directory / "pg_dump").is_file():
            return str(found.directory / "pg_dump")
    return shutil.which("pg_dump")


def test_an_empty_database_gets_everything_and_the_second_run_finds_nothing_to_do(empty: str) -> None:
    assert check(empty) == [*known_migrations(), OBJECTS]
    steps: list[str] = []
    assert migrate(empty, steps.append) == Applied(tuple(known_migrations()), True)
    assert steps == [*(f"migration {name}" for name in known_migrations()), OBJECTS]
    assert check(empty) == []
    assert migrate(empty) == Applied((), False)


def test_a_second_start_takes_no_lock(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [migrating.MIGRATE_LOCK])
        assert migrate(database) == Applied((), False)
        assert check(database) == []


def test_down_to_nothing_leaves_nothing_behind_and_up_again_gives_the_same(empty: str) -> None:
    untouched = dump(empty)
    migrate(empty)
    whole = dump(empty)
    assert down(empty, 99) == list(reversed(known_migrations()))
    assert dump(empty) == untouched
    assert down(empty, 1) == []
    migrate(empty)
    assert dump(empty) == whole


def test_one_step_down_is_pending_again(database: str) -> None:
    last = known_migrations()[-1]
    assert down(database, 1) == [last]
    assert check(database) == [last, OBJECTS]
    assert migrate(database) == Applied((last,), True)


def test_a_changed_function_is_installed_again_and_a_removed_one_goes(database: str, files: Path) -> None:
    (files / "functions" / "taxonomy_depth.sql").unlink()
    (files / "functions" / "spoken_duration.sql").write_text(
        "CREATE FUNCTION spoken_duration(seconds real) RETURNS text LANGUAGE sql AS $$ SELECT 'a while' $$"
    )
    assert check(database) == [OBJECTS]
    for name in ("grants/roles.sql", "grants/roles.rollback.sql"):
        (files / name).write_text("")
    assert migrate(database) == Applied((), True)
    assert query(database, "SELECT spoken_duration(1)") == [("a while",)]
    assert query(database, "SELECT to_regproc('taxonomy_depth') IS NULL") == [(True,)]


def test_objects_that_need_each_other_are_made_in_whatever_order_works(database: str, files: Path) -> None:
    (files / "views" / "a_first.sql").write_text("CREATE VIEW a_first AS SELECT * FROM b_second")
    (files / "views" / "b_second.sql").write_text("CREATE VIEW b_second AS SELECT z_last() AS n")
    (files / "functions" / "y_early.sql").write_text(
        "CREATE FUNCTION y_early() RETURNS integer LANGUAGE sql RETURN z_last()"
    )
    (files / "functions" / "z_last.sql").write_text(
        "CREATE FUNCTION z_last() RETURNS integer LANGUAGE sql RETURN 7"
    )
    migrate(database)
    assert query(database, "SELECT n, y_early() FROM a_first") == [(7, 7)]
    (files / "views" / "a_first.sql").unlink()
    migrate(database)
    assert query(database, "SELECT to_regclass('a_first') IS NULL, n FROM b_second") == [(True, 7)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CREATE FUNCTION broken( RETURNS void", "syntax error"),
        ("CREATE VIEW broken AS SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
    ],
    ids=["bad syntax", "missing table"],
)
def test_a_wrong_file_is_named_and_nothing_changes(database: str, files: Path, text: str, says: str) -> None:
    before = query(database, "SELECT kind, identity FROM schema_objects ORDER BY 1, 2")
    (files / "views" / "broken.sql").write_text(text)
    with pytest.raises(MigrationFailed, match=f"views/broken.sql cannot be created: {says}"):
        migrate(database)
    assert query(database, "SELECT kind, identity FROM schema_objects ORDER BY 1, 2") == before
    assert query(database, "SELECT enqueue_tasks('[]', 'psql:me')") == []


def test_a_wrong_migration_is_named_and_can_be_mended(database: str, files: Path) -> None:
    wrong = files / "9999.wrong.sql"
    wrong.write_text("CREATE TABLE IF NOT EXISTS half (n integer); SELECT 1 FROM nowhere;")
    with pytest.raises(MigrationFailed, match=r"9999.wrong.sql cannot be applied: relation .nowhere"):
        migrate(database)
    assert query(database, "SELECT to_regclass('half') IS NULL") == [(True,)]
    wrong.write_text("CREATE TABLE IF NOT EXISTS half (n integer);")
    assert migrate(database) == Applied(("9999.wrong",), True)


def test_a_database_that_is_ahead_is_served_but_not_migrated(database: str, files: Path) -> None:
    last = known_migrations()[-1]
    (files / f"{last}.sql").unlink()
    (files / "functions" / "fence_tag.sql").write_text("-- an older release's text")
    assert check(database) == []
    with pytest.raises(MigrationFailed, match=f"ahead of this release: it has {last}"):
        migrate(database)


def test_somebody_elses_view_on_ours_does_not_vanish(database: str, files: Path) -> None:
    query(database, "CREATE SCHEMA mine; CREATE VIEW mine.depth AS SELECT * FROM queue_depth")
    amend(files / "functions" / "fence_tag.sql")
    with pytest.raises(MigrationFailed, match=r"view mine.depth depends"):
        migrate(database)
    assert query(database, "SELECT count(*) FROM mine.depth") == [(0,)]


def test_objects_that_are_not_ours_stay(database: str, files: Path) -> None:
    query(database, "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 3'")
    amend(files / "functions" / "fence_tag.sql")
    migrate(database)
    assert query(database, "SELECT mine()") == [(3,)]


def test_migrators_take_turns_and_the_second_finds_it_done(empty: str) -> None:
    results: list[Applied] = []
    threads = [threading.Thread(target=lambda: results.append(migrate(empty))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.objects for result in results) == [False, False, False, True]
    assert sum(len(result.migrations) for result in results) == len(known_migrations())


def test_a_lock_row_that_a_killed_migrator_left_does_not_stop_the_next(empty: str) -> None:
    migrate(empty)
    down(empty, 1)
    query(empty, "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    assert migrate(empty).migrations == (known_migrations()[-1],)


def test_an_open_transaction_is_waited_for_and_named(database: str, files: Path) -> None:
    amend(files / "functions" / "fence_tag.sql")
    with psycopg.connect(database) as writer:
        writer.execute("SELECT enqueue_tasks('[]', 'psql:me'); SELECT count(*) FROM events")
        pid, told = writer.info.backend_pid, threading.Event()
        said: list[str] = []

        def say(text: str) -> None:
            said.append(text)
            if text.startswith("waiting"):
                told.set()

        runner = threading.Thread(target=lambda: said.append(str(migrate(database, say))))
        runner.start()
        assert told.wait(20)
        writer.rollback()
        runner.join(20)
    assert f"waiting for the transactions of process {pid}" in said
    assert said[-1] == str(Applied((), True))


def test_a_transaction_that_never_ends_is_given_up_with_its_process(
    database: str, files: Path, monkeypatch
) -> None:
    amend(files / "functions" / "fence_tag.sql")
    monkeypatch.setattr(migrating, "PATIENCE_SECONDS", 0.0)
    with psycopg.connect(database) as writer:
        writer.execute("SELECT count(*) FROM events")
        with pytest.raises(MigrationFailed, match=str(writer.info.backend_pid)):
            migrate(database)


def test_writers_of_the_previous_release_go_on_during_a_migration(database: str, files: Path) -> None:
    query(database, """SELECT publish_task_types('[{"task_type": "noop"}]')""")
    stop, errors, done = threading.Event(), [], []

    def write() -> None:
        with psycopg.connect(database, autocommit=True, prepare_threshold=0) as connection:
            while not stop.is_set():
                try:
                    connection.execute("SELECT enqueue_task('noop', ring => false)")
                    connection.execute(
                        "SELECT task_id FROM claim_tasks('w', '{default}', '{noop}', 1)"
                    ).fetchall()
                    done.append(time.monotonic())
                except psycopg.Error as error:
                    errors.append(error)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for turn in range(3):
        amend(files / "functions" / "fence_tag.sql", turn)
        assert migrate(database).objects
    ended = time.monotonic()
    while len([at for at in done if at > ended]) < 4:
        time.sleep(0.01)  # both writers go on afterwards
    stop.set()
    for writer in writers:
        writer.join()
    assert [str(error) for error in errors] == []


def test_the_digest_changes_with_a_name_and_with_a_content(files: Path) -> None:
    before = objects.digest_of_files()
    (files / "views" / "stuck_tasks.sql").rename(files / "views" / "stuck.sql")
    renamed = objects.digest_of_files()
    amend(files / "views" / "stuck.sql")
    assert len({before, renamed, objects.digest_of_files()}) == 3


@pytest.mark.parametrize("form", ["socket as host", "several hosts"])
def test_every_form_of_dsn_reaches_the_database(server, empty: str, form: str) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(empty)
    if form == "several hosts":
        hosts = f"host=127.0.0.1,{parts.get('host', 'localhost')}&port=1,{parts.get('port', 5432)}"
        dsn = f"postgresql:///{parts['dbname']}?{hosts}&user={parts.get('user', '')}"
        dsn += "&target_session_attrs=read-write" + (
            f"&password={parts['password']}" if "password" in parts else ""
        )
    elif str(parts.get("host", "")).startswith("/"):
        encoded = str(parts["host"]).replace("/", "%2F")
        dsn = f"postgresql://{parts['user']}@{encoded}:{parts.get('port', 5432)}/{parts['dbname']}"
    else:
        pytest.skip("the server is not on a socket")
    assert migrate(dsn).objects


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        migrate("postgresql://nobody@127.0.0.1:1/none")
    assert "127.0.0.1" in refused.value.hint


def test_what_is_no_dsn_is_refused() -> None:
    with pytest.raises(Invalid, match="database URL"):
        migrate("no such thing")
