"""What a queue needs is put into its place once, and again when it changed or was left half done."""

import asyncio
import sys
from pathlib import Path

import pytest

from service.bench.install import MARK, InstallFailed, provide

WRITE = (sys.executable, "-c", "import pathlib; pathlib.Path('packages').write_text('there')")
FAIL = (sys.executable, "-c", "raise SystemExit('no such package')")
# Starts a process of its own and waits for it, as pip and npm do.
FORK = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
open("draft", "w").write(str(child.pid))
os.rename("draft", "child")
child.wait()
"""


@pytest.fixture
def told() -> list[str]:
    return []


async def test_it_is_installed_once(tmp_path: Path, told: list[str]) -> None:
    place = tmp_path / "peers" / "queue"
    for _ in range(2):
        await provide(place, ("queue==1",), (WRITE,), told.append)
    assert (place / "packages").read_text() == "there"
    assert len(told) == 1 and "queue==1" in told[0]


async def test_another_version_is_installed_anew(tmp_path: Path, told: list[str]) -> None:
    place = tmp_path / "queue"
    await provide(place, ("queue==1",), (WRITE,), told.append)
    (place / "of-version-1").touch()
    await provide(place, ("queue==2",), (WRITE,), told.append)
    assert len(told) == 2 and not (place / "of-version-1").exists()


async def test_what_failed_is_begun_again_the_next_time(tmp_path: Path, told: list[str]) -> None:
    place = tmp_path / "queue"
    with pytest.raises(InstallFailed, match="no such package") as failed:
        await provide(place, ("queue==1",), (WRITE, FAIL), told.append)
    assert f"cd {place} && {sys.executable}" in failed.value.hint
    assert not (place / MARK).exists()
    await provide(place, ("queue==1",), (WRITE,), told.append)
    assert (place / MARK).exists() and len(told) == 2


def runs(pid: int) -> bool:
    """Whether there is such a process; one that ended and was not asked after yet does not run."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_an_interrupted_one_leaves_no_process_behind(tmp_path: Path, told: list[str]) -> None:
    place = tmp_path / "queue"
    command = (sys.executable, "-c", FORK)
    installing = asyncio.create_task(provide(place, ("queue==1",), (command,), told.append))
    async with asyncio.timeout(30):
        while not (place / "child").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # another process makes it
        child = int((place / "child").read_text())
        assert runs(child)
        installing.cancel()
        await asyncio.wait([installing])
        while runs(child):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the system ends it soon after its parent
    assert installing.cancelled() and not (place / MARK).exists()
