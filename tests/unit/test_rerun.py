"""The parts of replay-local by themselves: what is refused, what is the same, what the kernel is told."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.audit.attempts import attempts, chosen
from service.commands import ADDRESSES, SECRETS
from service.rerun.comparison import Outcome, compare
from service.rerun.guard import EVENTS, Rules
from service.rerun.kernel import ENDS, MACHINES, assembled, steps_for
from service.settings import Settings

HERE = "/nowhere/scratch"
OUTSIDE: list[tuple[str, tuple[Any, ...], str]] = [
    ("socket.connect", (None, ("10.0.0.1", 5432)), "connect to 10.0.0.1:5432"),
    ("socket.connect", (None, b"/run/server.sock"), "connect to /run/server.sock"),
    ("socket.bind", (None, ("", 80)), "listen on :80"),
    ("socket.sendto", (None, ("h", 53)), "send to h:53"),
    ("socket.getaddrinfo", ("db.example.com", 5432, 0, 0, 0), "connect to db.example.com:5432"),
    ("socket.gethostbyname", ("h",), "look up h"),
    ("socket.__new__", (None, 2, 2, 0), "open a socket for datagrams"),
    ("subprocess.Popen", ("git", ["git", "push"], None, None), "run git"),
    ("os.system", (b"rm -r /",), "run rm -r /"),
    ("os.exec", (b"/bin/sh", ["sh"], None), "run /bin/sh"),
    ("os.fork", (), "fork"),
    ("os.kill", (1, 9), "signal process 1"),
    ("os.killpg", (7, 9), "signal process group 7"),
    ("open", ("/etc/passwd", "a", os.O_APPEND | os.O_WRONLY), "open /etc/passwd"),
    ("open", (f"{HERE}/../x", None, os.O_CREAT | os.O_RDWR), "open /nowhere/x"),
    ("os.rename", (f"{HERE}/x", "/etc/x", -1, -1), "rename /etc/x"),
    ("os.remove", ("/etc/x", -1), "remove /etc/x"),
    ("os.mkdir", (b"/etc/x", 0o777, -1), "make /etc/x"),
    ("os.symlink", (f"{HERE}/x", "/etc/x", -1), "link /etc/x"),
    ("sqlite3.connect", ("file:/var/data.db",), "open /var/data.db"),
]
HARMLESS: list[tuple[str, tuple[Any, ...]]] = [
    ("socket.sendmsg", (None, None)),
    ("socket.getaddrinfo", (None, 80, 0, 0, 0)),
    ("socket.__new__", (None, 2, 1 | 0o4000, 0)),
    ("socket.__new__", (None, 1, 2, 0)),
    ("subprocess.Popen", ("python", ["python", "-m", "ours", "{}", "7"], None, None)),
    ("os.kill", (os.getpid(), 9)),
    ("open", ("/etc/passwd", "r", os.O_RDONLY)),
    ("open", (7, "w", os.O_WRONLY)),
    ("open", ("/dev/null", "w", os.O_WRONLY)),
    ("open", (f"{HERE}/x", "w", os.O_WRONLY | os.O_CREAT)),
    ("os.rename", (f"{HERE}/x", f"{HERE}/y", -1, -1)),
    ("sqlite3.connect", (":memory:",)),
    ("sqlite3.connect", ("file:/var/data.db?mode=ro",)),
]
RULES = Rules(HERE, children=("python", "-m", "ours"))


@pytest.mark.parametrize(("event", "given", "said"), OUTSIDE)
def test_what_would_be_felt_outside_is_named(event: str, given: tuple[Any, ...], said: str) -> None:
    _, describe = EVENTS[event]
    assert describe(RULES, given) == said


@pytest.mark.parametrize(("event", "given"), HARMLESS)
def test_what_stays_inside_is_let_through(event: str, given: tuple[Any, ...]) -> None:
    _, describe = EVENTS[event]
    assert describe(RULES, given) is None


def test_a_path_beside_a_directory_that_is_open_is_resolved_there(tmp_path: Path) -> None:
    rules = Rules(str(tmp_path.resolve()))
    _, describe = EVENTS["os.remove"]
    for directory, is_inside in ((tmp_path, True), (tmp_path.parent, False)):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            assert (describe(rules, ("x", descriptor)) is None) is is_inside
        finally:
            os.close(descriptor)


# Everything that Python tells an audit hook of itself, tried in a process of its own: a hook stays.
PROGRAM = """
import asyncio, os, pathlib, shutil, socket, sqlite3, subprocess, sys, tempfile, threading
from service.rerun.guard import Guard, Refused, Rules
scratch = os.path.realpath(sys.argv[1])
guard = Guard(Rules(scratch))
elsewhere = os.path.dirname(scratch) + "/elsewhere"

def refused(call, *arguments):
    try:
        call(*arguments)
    except Refused as error:
        print(error)
    else:
        print("NOT REFUSED", call)

refused(socket.create_connection, ("127.0.0.1", 9))
refused(socket.getaddrinfo, "db.example.com", 5432)
refused(socket.socket().bind, ("127.0.0.1", 0))
refused(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
refused(subprocess.run, ["true"])
refused(os.system, "true")
refused(os.fork)
refused(os.kill, os.getppid(), 0)
refused(open, elsewhere, "w")
refused(pathlib.Path(elsewhere).mkdir)
refused(os.symlink, "x", elsewhere)
refused(shutil.rmtree, os.path.dirname(scratch) + "/beside")
refused(sqlite3.connect, elsewhere)
thread = threading.Thread(target=refused, args=(open, elsewhere, "w"))
thread.start(); thread.join()
asyncio.run(asyncio.sleep(0))
with tempfile.TemporaryDirectory(dir=scratch) as inside:
    pathlib.Path(inside, "x").write_text("x")
    shutil.copy(os.path.join(inside, "x"), os.path.join(inside, "y"))
guard.lower()
open(elsewhere, "w").close()
print("lowered")
"""


def test_the_guard_hears_what_python_does(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    for directory in (scratch, tmp_path / "beside"):
        directory.mkdir()
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (tmp_path / "beside").is_dir()
    *said, last = done.stdout.splitlines()
    assert last == "lowered" and "NOT REFUSED" not in done.stdout and len(said) == 14
    assert said[0] == (
        "the network is refused in replay-local: connect to 127.0.0.1:9; --allow-network to allow it"
    )
    assert all(" refused in replay-local: " in line for line in said), said
    assert len((scratch / "refused").read_text().splitlines()) == 14


def run_filter(code: bytes, number: int, architecture: int, *arguments: int) -> int:
    """What the kernel does with a filter, for the few instructions that ours has."""
    shown = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    steps, at, word = list(struct.iter_unpack("=HBBI", code)), 0, 0
    while True:
        kind, equal, other, operand = steps[at]
        at += 1
        match kind:
            case 0x20:
                word = struct.unpack_from("=I", shown, operand)[0]
            case 0x54:
                word &= operand
            case 0x15:
                at += equal if word == operand else other
            case _:
                return int(operand)


@pytest.mark.parametrize("name", MACHINES)
def test_the_filter_refuses_connections_and_nothing_else(name: str) -> None:
    machine = MACHINES[name]
    code = assembled(steps_for(machine))
    for call, arguments, end in (
        (machine.connect, (), "deny"),
        (machine.listen, (), "deny"),
        (machine.io_uring_setup, (), "absent"),
        (machine.socket, (2, 1), "allow"),
        (machine.socket, (10, 1 | 0o2000000), "allow"),
        (machine.socket, (2, 2), "deny"),
        (machine.socket, (10, 2 | 0o4000), "deny"),
        (machine.socket, (2, 3), "deny"),
        (machine.socket, (1, 2), "allow"),
        (0, (), "allow"),
    ):
        assert run_filter(code, call, machine.architecture, *arguments) == ENDS[end], (call, arguments)
    assert run_filter(code, machine.connect, 1) == ENDS["allow"], "another architecture has other numbers"


SAME = [
    (Outcome("failed", "E", "at 0x7f00aa11bb"), Outcome("failed", "E", "at 0x7f99cc22dd")),
    (Outcome("completed", result={"a": 1}), Outcome("completed", result={"a": 1}, duration_ms=3)),
    (Outcome("timed_out", message="Task timeout exceeded"), Outcome("timed_out")),
]
DIFFERENT = [
    (None, Outcome("completed"), "nothing to compare: it was never started there; completed here"),
    (Outcome("failed", "E"), Outcome("completed"), "differs: completed here, failed with an E there"),
    (Outcome("failed", "E", "a"), Outcome("failed", "K", "a"), "differs: a K here, an E there"),
    (Outcome("failed", "E", "a"), Outcome("failed", "E", "b"), "differs: the same E with another message"),
    (Outcome("completed", result={"a": 1, "b": 2}), Outcome("completed", result={"b": 3}), "(in a, b)"),
    (Outcome("completed", result=1), Outcome("completed", result=2), "completed with another result"),
    (Outcome("completed"), Outcome("completed", records=[{"type": "x"}]), "recorded other events"),
    (Outcome("rescued"), Outcome("completed"), "differs: the worker died there"),
    (Outcome("released"), Outcome("completed"), "differs: the worker stopped there"),
    (Outcome("open"), Outcome("completed"), "differs: the attempt was still running there"),
]


@pytest.mark.parametrize(("then", "now"), SAME)
def test_the_same_end_is_reproduced(then: Outcome, now: Outcome) -> None:
    found = compare(then, now)
    assert found.is_same and found.sentence.startswith("reproduced: ")


@pytest.mark.parametrize(("then", "now", "said"), DIFFERENT)
def test_another_end_differs_and_says_in_what(then: Outcome | None, now: Outcome, said: str) -> None:
    found = compare(then, now)
    assert not found.is_same and said in found.sentence


def event(version: int, kind: str, **data: Any) -> dict[str, Any]:
    at = f"2026-01-01T00:00:0{version}Z"
    return {
        "version": version,
        "position": version,
        "type": kind,
        "data": data,
        "actor": "a",
        "recorded_at": at,
    }


def test_a_deadline_that_left_another_try_is_a_timeout_and_a_timeout_that_was_raised_is_not() -> None:
    told = attempts(
        [
            event(1, "task.enqueued"),
            event(2, "task.started", attempt=1),
            event(3, "task.retry_scheduled", attempt=1, error_type="TimeoutError"),
            event(4, "task.completion_refused", attempt=1),
            event(5, "task.started", attempt=2),
            event(6, "task.failed", attempt=2, error_type="TimeoutError", error_traceback="..."),
            event(7, "task.started", attempt=3),
        ],
        {2: {}, 5: {}, 7: {}},
    )
    assert [one["outcome"] for one in told] == ["timed_out", "failed", "open"]
    assert chosen(told) is told[1] and chosen(told[2:]) is told[2] and chosen([]) is None


def test_what_the_settings_do_not_show_is_what_a_bundle_masks() -> None:
    hidden = {
        f"{section}.{name}"
        for section, outer in Settings.model_fields.items()
        for name, field in getattr(outer.annotation, "model_fields", {}).items()
        if not field.repr
    }
    assert hidden == SECRETS | ADDRESSES
