"""The embedded server as its users see it: one server for all, gone after the last."""

import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import LiteralString

import asyncpg
import psycopg
import pytest

from service.embedded import EmbeddedError, attach, locks, postmaster, starter, state
from service.embedded.place import Place
from tests.embedded_holder import FAST, Holder, gone, home_directory, processes, quick, until


@pytest.fixture
def home() -> Iterator[Path]:
    with home_directory() as directory:
        yield directory


def ask(dsn: str, question: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return row[0]


def execute(dsn: str, statement: LiteralString) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)


async def test_a_fresh_home_gives_a_database_that_every_driver_reaches(home: Path) -> None:
    with quick(home) as server:
        assert ask(server.dsn, "SELECT current_user || '@' || current_database()") == "annals@annals"
        connection = await asyncpg.connect(server.dsn)
        assert (
            await connection.fetchval("SELECT lower('ÄÉ') || current_setting('server_encoding')") == "äéUTF8"
        )
        await connection.close()
        assert ask(server.dsn, "SELECT current_setting('server_version_num')::int / 10000") == server.major


def test_its_psql_reaches_it(home: Path) -> None:
    with quick(home) as server:
        said = subprocess.check_output([server.tool("psql"), server.dsn, "-Atc", "SELECT 'psql'"], text=True)
        assert said.strip() == "psql"
        with pytest.raises(EmbeddedError, match="No pg_nothing is installed"):
            server.tool("pg_nothing")


def test_the_role_may_make_databases_but_is_no_superuser(home: Path) -> None:
    with quick(home) as server:
        assert ask(server.dsn, "SELECT current_setting('is_superuser')") == "off"
        assert ask(server.superuser_dsn(), "SELECT current_setting('is_superuser')") == "on"
        execute(server.dsn, "CREATE DATABASE another")


def test_the_server_is_durable_unless_asked_otherwise(home: Path) -> None:
    with attach(home) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert ask(server.dsn, f"SELECT current_setting('{setting}')") == "on", setting
        assert ask(server.dsn, "SELECT current_setting('jit')") == "off"
        assert ask(server.dsn, "SELECT current_setting('listen_addresses')") == ""


def test_slow_steps_are_told_and_data_stay(home: Path) -> None:
    told: list[str] = []
    with quick(home, progress=told.append) as server:
        assert [line.split()[0] for line in told] == ["Making", "Starting"]
        execute(server.dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        base = server.place.base
    gone(base)
    told.clear()
    with quick(home, progress=told.append) as server:
        assert [line.split()[0] for line in told] == ["Starting"]
        assert ask(server.dsn, "SELECT n FROM kept") == 7


def test_processes_that_attach_at_once_share_one_server(home: Path) -> None:
    holders = [Holder.start(home) for _ in range(6)]
    told = [holder.attached().told for holder in holders]
    assert len({each["pid"] for each in told}) == 1, told
    log = Path(told[0]["base"], "supervisor.log").read_text()
    assert log.count("Making a database") == 1
    for holder in holders:
        holder.leave()


def test_the_server_goes_after_its_last_holder_and_leaves_no_process(home: Path) -> None:
    first, second = Holder.start(home).attached(), Holder.start(home).attached()
    base = Path(first.told["base"])
    first.leave()
    assert ask(second.told["dsn"], "SELECT 1") == 1
    second.leave()
    gone(base)
    assert not (base / "data" / "postmaster.pid").exists(), "the shutdown was not clean"
    assert "database system is shut down" in (base / "postgres.log").read_text()


def test_a_next_command_within_the_linger_time_finds_the_server_running(home: Path) -> None:
    with attach(home, options=FAST, linger_seconds=60) as server:
        pid, base = server.pid, server.place.base
    begun = time.monotonic()
    with attach(home) as server:
        assert server.pid == pid
        assert time.monotonic() - begun < 30, "an attach to a running server must not wait"
    os.kill(processes(base, "supervisor")[0], 15)


def test_a_killed_supervisor_is_none_although_its_lock_is_not_yet_gone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    living = os.getpid()
    ended = subprocess.Popen(["true"])  # not reaped before the end: nothing of it is left but its number
    until(lambda: postmaster.is_ending(ended.pid), "it has ended")
    with locks.exclusive(place.supervisor):
        for pid, supervised in ((living, True), (ended.pid, False)):
            state.write(place.state, state.State("token", "ready", supervisor=pid))
            assert starter.is_supervised(place) is supervised
    state.write(place.state, state.State("token", "ready", supervisor=living))
    assert not starter.is_supervised(place), "nobody holds the lock"
    ended.wait()


def test_blocks_of_one_process_nest(home: Path) -> None:
    with quick(home) as outer:
        with attach(home) as inner:
            assert inner.pid == outer.pid
        time.sleep(0.4)  # longer than the supervisor takes to see that nobody holds the server
        assert ask(outer.dsn, "SELECT 1") == 1


def test_a_forked_child_attaches_by_itself(home: Path) -> None:
    with quick(home) as server:
        child = os.fork()
        if child == 0:
            with attach(home) as own:
                os._exit(0 if own.pid == server.pid else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        time.sleep(0.4)  # longer than the supervisor takes to see that nobody holds the server
        assert ask(server.dsn, "SELECT 1") == 1, "the child's end took the parent's share"


def has_stopped(state_file: Path) -> bool:
    return '"phase": "stop' in state_file.read_text()


def test_who_comes_while_the_server_stops_gets_it_started_again(home: Path) -> None:
    for _ in range(5):
        with quick(home) as server:
            state_file = server.place.state
        until(partial(has_stopped, state_file), "the server is stopping, or has just stopped")
        with quick(home) as server:
            assert ask(server.dsn, "SELECT 1") == 1


def test_tcp_needs_the_password_and_keeps_its_port(home: Path) -> None:
    with quick(home, tcp=True) as server:
        dsn, base = server.tcp_dsn, server.place.base
        assert ask(dsn, "SELECT host(inet_client_addr())") == "127.0.0.1"
        assert ask(server.dsn, "SELECT inet_client_addr() IS NULL") is True
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(dsn.replace(server.place.password.read_text(), "guessed"))
        assert server.place.password.stat().st_mode & 0o777 == 0o600
        first_pid = server.pid
        os.kill(first_pid, 9)
        until(lambda: accepts(dsn), "the server is back")
        assert server.pid != first_pid
    gone(base)


def accepts(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_lost_password_is_made_anew(home: Path) -> None:
    with quick(home) as server:
        base = server.place.base
    gone(base)
    (base / "password").unlink()
    with quick(home, tcp=True) as server:
        assert ask(server.tcp_dsn, "SELECT 1") == 1


def test_servers_over_tcp_do_not_take_each_others_ports(home: Path) -> None:
    with (
        home_directory() as another,
        quick(home, tcp=True) as first,
        quick(another, tcp=True) as second,
    ):
        assert ask(first.tcp_dsn, "SELECT 1") == ask(second.tcp_dsn, "SELECT 1") == 1
        assert first.state.port != second.state.port


def test_tcp_cannot_be_had_from_a_server_that_runs_without(home: Path) -> None:
    with quick(home) as server:
        with pytest.raises(EmbeddedError, match="without TCP"):
            _ = server.tcp_dsn
        with pytest.raises(EmbeddedError, match="already running without TCP"), attach(home, tcp=True):
            pass
        assert ask(server.dsn, "SELECT 1") == 1, "the refused attach took the first one's server"


@pytest.mark.parametrize("name", ["x" * 120, "with space, comma & Hangul 한글"])
def test_a_path_that_no_socket_can_have_gets_a_short_one(home: Path, name: str) -> None:
    with quick(home / name) as server:
        assert server.state.socket_directory.startswith("/tmp/annals-")
        assert Path(server.state.socket_directory).stat().st_mode & 0o777 == 0o700
        assert ask(server.dsn, "SELECT 1") == 1
        base = server.place.base
    gone(base)
    assert not Path(server.state.socket_directory).exists()


def test_a_persons_own_settings_win(home: Path) -> None:
    with quick(home) as server:
        base = server.place.base
    gone(base)
    (base / "local.conf").write_text("work_mem = '17MB'\nmax_connections = 33\n")
    with quick(home) as server:
        assert ask(server.dsn, "SELECT current_setting('work_mem')") == "17MB"
        assert ask(server.dsn, "SELECT current_setting('max_connections')") == "33"


def test_a_server_whose_socket_was_swept_away_is_restarted(home: Path) -> None:
    with quick(home) as server:
        (server.place.base / "run" / ".s.PGSQL.5432").unlink()
        until(lambda: accepts(server.dsn), "the server is back")


def test_the_supervisor_keeps_no_descriptor_of_its_starter(home: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    with quick(home):
        os.close(write_end)
        # Ends at once: a supervisor that had inherited the pipe would keep a caller's reader waiting.
        assert os.read(read_end, 1) == b""
    os.close(read_end)
