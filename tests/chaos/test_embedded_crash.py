"""kill -9 of each party of the embedded server: nothing committed is lost, and nothing stays behind."""

import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from service.embedded import Server, attach
from service.embedded.postmaster import read_pid_file, serves
from tests.embedded_holder import Holder, gone, home_directory, processes, quick, supervisor_of, until


@pytest.fixture
def home() -> Iterator[Path]:
    with home_directory() as directory:
        yield directory


def is_back(server: Server, than: int) -> bool:
    """Whether another server process than that one answers."""
    found = read_pid_file(server.data_dir)
    if found is None or found.pid == than:
        return False
    try:
        with psycopg.connect(server.dsn) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def other_supervisor(base: Path, than: int) -> bool:
    found = processes(base, "service.embedded.supervisor")
    return len(found) == 1 and found[0] != than


def test_a_killed_holder_holds_no_longer(home: Path) -> None:
    holders = [Holder.start(home).attached() for _ in range(3)]
    base = Path(holders[0].told["base"])
    for holder in holders:
        holder.kill()
    gone(base)
    assert not (base / "data" / "postmaster.pid").exists(), "the shutdown was not clean"


def test_a_killed_server_is_restarted_with_all_that_was_committed(home: Path) -> None:
    with attach(home) as server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        pid = server.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_back(server, pid), "another server answers")
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_a_server_killed_amid_work_is_restarted(home: Path) -> None:
    with quick(home) as server:
        started = threading.Event()

        def compute() -> None:
            with psycopg.connect(server.dsn) as connection:
                started.set()
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT count(*) FROM generate_series(1, 20000000000)")

        thread = threading.Thread(target=compute)
        thread.start()
        assert started.wait(10)
        until(lambda: is_computing(server), "the query runs")
        pid = server.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_back(server, pid), "the busy process has made way for another server")
        thread.join()


def is_computing(server: Server) -> bool:
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%20000000000%'"
            " AND pid <> pg_backend_pid()"
        ).fetchone()
        return row == (1,)


def test_users_notice_nothing_of_a_killed_supervisor(home: Path) -> None:
    with quick(home) as server, psycopg.connect(server.dsn, autocommit=True) as connection:
        pid, base = server.pid, server.place.base
        killed = supervisor_of(base)
        os.kill(killed, signal.SIGKILL)
        until(lambda: other_supervisor(base, killed), "a holder has started another supervisor")
        until(lambda: "taking it over" in (base / "supervisor.log").read_text(), "it has taken over")
        assert server.pid == pid
        assert connection.execute("SELECT 1").fetchone() == (1,), "the session was cut"
        with attach(home) as again:
            assert again.pid == pid
    gone(base)
    assert not (base / "data" / "postmaster.pid").exists(), "the orphan was not stopped cleanly"


def test_an_orphan_without_holders_is_taken_over_by_the_next(home: Path) -> None:
    holder = Holder.start(home).attached()
    base = Path(holder.told["base"])
    os.kill(holder.process.pid, signal.SIGSTOP)
    killed = supervisor_of(base)
    os.kill(killed, signal.SIGKILL)
    holder.kill()
    until(lambda: killed not in processes(base), "the supervisor is dead")
    assert serves(holder.told["pid"], base / "data")
    with attach(home) as server:
        assert server.pid == holder.told["pid"]
    gone(base)


def test_a_holder_that_leaves_right_after_the_supervisor_was_killed_leaves_no_orphan(home: Path) -> None:
    with quick(home) as server:
        base = server.place.base
        killed = supervisor_of(base)
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in processes(base), "the supervisor is dead")
    gone(base)


def test_an_orphan_that_dies_is_replaced(home: Path) -> None:
    with quick(home) as server:
        base, pid = server.place.base, server.pid
        killed = supervisor_of(base)
        os.kill(killed, signal.SIGKILL)
        until(lambda: other_supervisor(base, killed), "a holder has started another supervisor")
        until(lambda: "taking it over" in (base / "supervisor.log").read_text(), "it has taken over")
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_back(server, pid), "another server answers")


def test_supervisor_and_server_killed_together_come_back(home: Path) -> None:
    with attach(home) as server:
        base, pid = server.place.base, server.pid
        os.kill(supervisor_of(base), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_back(server, pid), "both are back")


def test_a_server_that_cannot_be_started_again_is_tried_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with quick(home) as server:
        base, pid = server.place.base, server.pid
        monkeypatch.setenv("PG_BIN", "/nonexistent")
        os.kill(supervisor_of(base), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        until(lambda: "cannot be started again" in caplog.text, "the holder has tried")
        assert "PG_BIN names /nonexistent" in caplog.text
        monkeypatch.delenv("PG_BIN")
        until(lambda: is_back(server, pid), "both are back")


def test_a_home_that_is_removed_takes_its_server_along(home: Path) -> None:
    with quick(home) as server:
        base = server.place.base
        while home.exists():
            # The server makes files while it lives: a folder may be full again when its turn comes.
            shutil.rmtree(home, ignore_errors=True)
        gone(base)


def test_everybody_killed_at_once_leaves_a_home_that_works(home: Path) -> None:
    holder = Holder.start(home).attached()
    base = Path(holder.told["base"])
    with psycopg.connect(holder.told["dsn"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    for pid in (holder.process.pid, supervisor_of(base), holder.told["pid"]):
        os.kill(pid, signal.SIGKILL)
    holder.kill()
    gone(base)
    with attach(home) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_server_told_to_stop_by_somebody_else_comes_back(home: Path) -> None:
    with quick(home) as server:
        pid = server.pid
        os.kill(pid, signal.SIGTERM)
        until(lambda: is_back(server, pid), "another server answers")


@pytest.mark.parametrize("victim", ["holder", "supervisor"])
def test_a_kill_while_the_database_is_made_leaves_no_half_of_one(home: Path, victim: str) -> None:
    holder = Holder.start(home)
    base = home / "postgres"
    until(lambda: list(base.glob("partial-*/base")), "initdb is at work")
    os.kill(holder.process.pid if victim == "holder" else supervisor_of(base), signal.SIGKILL)
    holder.process.communicate()
    with quick(home) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("annals",)
        base = server.place.base
    gone(base)
    with quick(home):
        assert not list(base.glob("partial-*"))


def test_random_kills_lose_no_committed_row(home: Path) -> None:
    chance = random.Random(7)
    with attach(home) as server:
        base = server.place.base
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        for number in range(6):
            with psycopg.connect(server.dsn) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
            pid, victims = server.pid, chance.choice(["server", "supervisor", "both"])
            if victims != "server":
                until(lambda: len(processes(base, "service.embedded.supervisor")) == 1, "there is one")
                os.kill(supervisor_of(base), signal.SIGKILL)
            if victims != "supervisor":
                os.kill(pid, signal.SIGKILL)
                until(partial(is_back, server, pid), f"{victims} is back in round {number}")
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (6,)
