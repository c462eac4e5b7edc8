"""What the embedded server says when it cannot be had."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.embedded import EmbeddedError, account, attach, binaries, sockets
from service.embedded.errors import explain
from service.embedded.launch import Launch
from service.embedded.place import Place
from service.embedded.state import Wish
from tests.embedded_holder import FAST, gone, home_directory, quick

OTHER = Path("/usr/lib/postgresql/15/bin")
needs_other = pytest.mark.skipif(not (OTHER / "initdb").exists(), reason="PostgreSQL 15 is not installed")


@pytest.fixture
def home() -> Iterator[Path]:
    with home_directory() as directory:
        yield directory


def made(home: Path) -> Path:
    """A home that was used before; its base directory."""
    with quick(home) as server:
        base = server.place.base
    gone(base)
    return base


def refusal(home: Path) -> EmbeddedError:
    with pytest.raises(EmbeddedError) as refused, quick(home):
        pass
    gone((home / "postgres").resolve())
    return refused.value


def test_a_wrong_setting_is_named_and_mending_it_is_enough(home: Path) -> None:
    base = made(home)
    (base / "local.conf").write_text("wrok_mem = '1MB'\n")
    error = refusal(home)
    assert "refuses its configuration" in error.message
    assert "wrok_mem" in error.hint
    (base / "local.conf").unlink()
    with quick(home) as server:
        psycopg.connect(server.dsn).close()


def test_data_of_a_version_without_programs_are_refused(home: Path) -> None:
    base = made(home)
    (base / "data" / "PG_VERSION").write_text("11\n")
    error = refusal(home)
    assert "made by PostgreSQL 11" in error.message
    assert "PG_BIN" in error.hint


def test_pg_bin_without_programs_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", "/usr/share")
    assert "PG_BIN names /usr/share" in refusal(home).message


@needs_other
def test_data_are_served_by_programs_of_their_own_version(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(OTHER))
    base = made(home)
    monkeypatch.delenv("PG_BIN")
    with quick(home) as server:
        assert server.major == 15
    gone(base)
    newest = next(binaries.installed()).directory
    monkeypatch.setenv("PG_BIN", str(newest))
    error = refusal(home)
    assert "was made by 15" in error.message


def test_programs_too_old_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(EmbeddedError, match=r"9\.6") as refused:
        binaries.choose(tmp_path / "data")
    assert "15 or newer" in refused.value.hint


def test_without_any_programs_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "candidates", lambda: iter([tmp_path]))
    with pytest.raises(EmbeddedError, match="No PostgreSQL 15 or newer") as refused:
        binaries.choose(tmp_path / "data")
    assert "DATABASE_URL" in refused.value.hint


def test_a_full_disk_is_called_one_and_more_space_is_enough(home: Path) -> None:
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", home])
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a small filesystem")
    try:
        error = refusal(home)
        assert "disk is full" in error.message, error
        assert "Free some space" in error.hint
        (home / "filler").write_bytes(b"x" * (os.statvfs(home).f_bavail * os.statvfs(home).f_bsize))
        error = refusal(home)
        assert "No space left" in error.message, error
        (home / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=400m", home], check=True)
        made(home)
    finally:
        subprocess.run(["umount", home], check=True)


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot be made"), attach(tmp_path / "file" / "home"):
        pass


def test_a_supervisor_that_cannot_even_begin_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    with pytest.raises(EmbeddedError, match="while it started") as refused, attach(home):
        pass
    assert "PYTHONHOME" in refused.value.hint or "encodings" in refused.value.hint


def test_a_server_in_another_container_is_not_doubled(home: Path) -> None:
    base = made(home)
    lines = ["99999999", str(base / "data"), "0", "5432", str(home.parent), "", "", "ready"]
    (base / "data" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with socket.socket(socket.AF_UNIX) as elsewhere:
        elsewhere.bind(str(home.parent / ".s.PGSQL.5432"))
        elsewhere.listen()
        error = refusal(home)
    assert "cannot be seen from here" in error.message
    assert "container" in error.hint


def test_a_stale_pid_file_whose_number_is_taken_does_not_block_a_start(home: Path) -> None:
    base = made(home)
    owner = (base / "data").stat()
    bystander = subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid, extra_groups=[])
    try:
        lines = [str(bystander.pid), str(base / "data"), "0", "5432", str(base / "run"), "", "", "ready"]
        (base / "data" / "postmaster.pid").write_text("\n".join(lines) + "\n")
        with quick(home) as server:
            assert server.pid != bystander.pid
        gone(base)
        assert bystander.poll() is None, "an unrelated process was taken for the server"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_port_taken_meanwhile_is_replaced_by_another(home: Path) -> None:
    base = made(home)
    place, wish = Place(base), Wish(tcp=True, options=FAST)
    runs_as = account.for_data(place.data)
    how = Launch(place, binaries.choose(place.data), runs_as, base / "run", wish, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        postmaster, port = how.start(taken.getsockname()[1])
        assert port != taken.getsockname()[1]
        assert sockets.accepts(str(base / "run"), port)
    postmaster.stop()
    postmaster.close()


def test_a_taken_name_in_tmp_is_not_trusted() -> None:
    base = Path("/nowhere") / ("x" * 100)
    runs_as = account.current()
    first = sockets.directory(base, runs_as)
    assert sockets.directory(base, runs_as) == first
    first.chmod(0o755)
    second = sockets.directory(base, runs_as)
    assert second != first and second.stat().st_mode & 0o777 == 0o700
    first.rmdir()
    second.rmdir()


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ('FATAL: lock file "postmaster.pid" already exists', "Another process has the number"),
        ("FATAL: could not map anonymous shared memory: Cannot allocate memory", "not enough memory"),
        ("PANIC: could not locate a valid checkpoint record", "damaged"),
        ("FATAL: data directory has wrong ownership", "an owner or a permission"),
        ("FATAL: database files are incompatible with server", "another version"),
        ("something new", "Starting failed"),
    ],
)
def test_what_postgresql_says_is_explained(said: str, meaning: str) -> None:
    error = explain("Starting", f"LOG: before\n{said}\n", "/data")
    assert meaning in error.message
    assert said in error.hint, "what PostgreSQL said itself is kept"
