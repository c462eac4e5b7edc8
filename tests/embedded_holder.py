"""A process that holds an embedded server, for the tests: `python -m tests.embedded_holder HOME [tcp]`.

It prints one JSON line when it is attached, or one with the error, and leaves when its stdin ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from service.embedded import EmbeddedError, attach

ROOT = Path(__file__).resolve().parents[1]
FAST = {"fsync": "off", "full_page_writes": "off"}
PATIENCE_SECONDS = 60.0

# Attach to a server that is made fast and gone at once.
quick = partial(attach, options=FAST, linger_seconds=0)


def main(home: str, *words: str) -> None:
    progress: list[str] = []
    try:
        with quick(Path(home), tcp="tcp" in words, progress=progress.append) as server:
            told = {
                "dsn": server.dsn,
                "pid": server.pid,
                "base": str(server.place.base),
                "progress": progress,
            }
            say(told)
            sys.stdin.read()
    except EmbeddedError as error:
        say({"error": error.message, "hint": error.hint})


def say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


@dataclass
class Holder:
    """Such a process, seen from the test."""

    process: subprocess.Popen[str]
    told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, home: Path, *words: str, command: tuple[str, ...] = (sys.executable,)) -> Holder:
        """Start one; `attached` waits for it."""
        return cls(
            subprocess.Popen(
                [*command, "-m", "tests.embedded_holder", str(home), *words],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )

    def attached(self) -> Holder:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the holder ended with {self.process.wait()} and said nothing"
        self.told = json.loads(line)
        return self

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def until(true: Callable[[], object], what: str) -> None:
    """Wait for something that another process does and that can only be looked at."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s until {what}"
        time.sleep(0.02)  # between two looks at other processes, which send us no signal


def processes(base: Path, *words: str) -> list[int]:
    """Living processes whose command line names the server's directory: supervisor and postmaster."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if all(os.fsencode(word) in command for word in (str(base), *words)):
            found.append(int(entry.name))
    return found


def supervisor_of(base: Path) -> int:
    """The pid of the supervisor."""
    (pid,) = processes(base, "service.embedded.supervisor")
    return pid


def gone(base: Path) -> None:
    """Wait until neither supervisor nor server is left."""
    until(lambda: not processes(base), f"no process of {base} is left")


@contextmanager
def home_directory() -> Iterator[Path]:
    """A home that every account can enter, removed with whatever still runs in it."""
    outer = Path(tempfile.mkdtemp(prefix="annals-test-", dir="/tmp"))
    outer.chmod(0o755)
    home = outer / "home"
    try:
        yield home
    finally:
        base = (home / "postgres").resolve()
        if base.exists():
            gone(base)
        shutil.rmtree(outer)


if __name__ == "__main__":
    main(*sys.argv[1:])
