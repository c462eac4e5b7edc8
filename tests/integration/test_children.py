"""Children of `annals up`: restarted when they die, ended in order, gone when the parent is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service import children
from service.children import Child, ChildFailed

# Says that it runs, then waits; ends with 0 on SIGTERM and says so.
OBEDIENT = (
    "import signal, sys, pathlib, os\n"
    "def end(*_): pathlib.Path(sys.argv[1]).joinpath('ended').touch(); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "pathlib.Path(sys.argv[1]).joinpath(f'run-{os.getpid()}').touch()\n"
    "while True: signal.pause()\n"
)
DEAF = OBEDIENT.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
PARENT = (
    "import asyncio, os, sys\n"
    "from service.children import Child\n"
    "async def main():\n"
    "    code = 'import sys; from service.tether import hold; hold(0); ' + sys.argv[2]\n"
    "    await Child('child', [sys.executable, '-c', code, sys.argv[1]], os.environ, 1).run()\n"
    "asyncio.run(main())\n"
)


def child(code: str, folder: Path, grace_seconds: float = 5.0) -> Child:
    return Child("child", [sys.executable, "-c", code, str(folder)], os.environ, grace_seconds)


@asynccontextmanager
async def running(subject: Child) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(subject.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # another process has no event to await: looked at often


def runs(folder: Path) -> set[int]:
    return {int(path.name.removeprefix("run-")) for path in folder.glob("run-*")}


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_child_that_was_killed_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_SECONDS", 0.01)
    subject = child(OBEDIENT, tmp_path)
    async with running(subject):
        await until(lambda: len(runs(tmp_path)) == 1)
        os.kill(runs(tmp_path).pop(), signal.SIGKILL)
        await until(lambda: len(runs(tmp_path)) == 2)
        assert subject.restarts == 1
        assert subject.pid in runs(tmp_path)


async def test_a_cancelled_child_ends_in_order(tmp_path: Path) -> None:
    subject = child(OBEDIENT, tmp_path)
    async with running(subject):
        await until(lambda: runs(tmp_path))
    assert (tmp_path / "ended").exists()
    assert subject.process is not None and subject.process.returncode == 0


async def test_a_child_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "KILL_AFTER_SECONDS", 0.1)
    subject = child(DEAF, tmp_path, grace_seconds=0.1)
    async with running(subject):
        await until(lambda: runs(tmp_path))
    assert subject.process is not None and subject.process.returncode == -signal.SIGKILL


async def test_a_child_that_was_called_wrongly_is_not_started_again(tmp_path: Path) -> None:
    async with running(child("import sys; sys.exit(2)", tmp_path)) as task:
        with pytest.raises(ChildFailed, match="child cannot start"):
            await asyncio.wait_for(task, 10)


async def test_the_death_of_the_parent_ends_its_children(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path), f"exec({OBEDIENT!r})"]
    parent = subprocess.Popen(command)  # noqa: ASYNC220
    try:
        await until(lambda: runs(tmp_path))
        parent.kill()
        parent.wait()
        await until(lambda: not is_alive(runs(tmp_path).pop()))
        assert (tmp_path / "ended").exists()
    finally:
        parent.kill()
        parent.wait()
