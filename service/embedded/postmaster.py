"""One running PostgreSQL server: started as a child, or an orphan taken over.

postmaster.pid is only ever read. Its lines are: pid, data directory, start time, port, socket directory,
listen address, shared memory key, status.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

READY_POLL_SECONDS = 0.005
FAST_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class PidFile:
    """What postmaster.pid says."""

    pid: int
    port: int
    socket_directory: str
    address: str
    status: str


def read_pid_file(data: Path) -> PidFile | None:
    """The pid file's contents; None when there is none, or it is still being written."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return PidFile(abs(int(lines[0])), int(lines[3]), lines[4], lines[5].strip(), lines[7].strip())
    except (FileNotFoundError, ValueError, IndexError):
        return None


def serves(pid: int, data: Path) -> bool:
    """Whether the process is alive and a PostgreSQL process on this data (each works in that directory).

    A zombie is not: it has no working directory any more.
    """
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
        return program == "postgres" and os.path.samefile(f"/proc/{pid}/cwd", data)
    except OSError:
        return not os.path.isdir("/proc/self") and is_postgres(pid)


def ended_server(data: Path) -> int | None:
    """The process number in a pid file whose server has ended without removing it."""
    found = read_pid_file(data)
    return found.pid if found is not None and not serves(found.pid, data) else None


def is_postgres(pid: int) -> bool:
    """For systems without /proc: whether the process is alive and named postgres."""
    answer = subprocess.run(["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True)
    words = answer.stdout.split()
    return len(words) > 1 and not words[0].startswith("Z") and words[1].endswith("postgres")


def leftovers(data: Path) -> list[int]:
    """PostgreSQL processes on this data; after their postmaster's death, those that have not noticed it."""
    numbers = (
        (int(name) for name in os.listdir("/proc") if name.isdigit()) if os.path.isdir("/proc/self") else ()
    )
    return [pid for pid in numbers if pid != os.getpid() and serves(pid, data)]


def is_ending(pid: int) -> bool:
    """Whether the process was killed and has given its memory back, but perhaps not yet its file locks."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


class Postmaster:
    """A handle on the server's main process; `child` is None when it was taken over."""

    def __init__(self, pid: int, data: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.data = data
        self.child = child
        self._descriptor = self._open()

    def _open(self) -> int | None:
        """A descriptor that polls readable at the process's end, where the system has them."""
        try:
            return os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            return None

    def alive(self) -> bool:
        """Whether it still runs; reaps a child that does not."""
        return self.child.poll() is None if self.child is not None else serves(self.pid, self.data)

    def ready(self) -> bool:
        """Whether it accepts connections, by its own word."""
        found = read_pid_file(self.data)
        return found is not None and found.pid == self.pid and found.status == "ready"

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for its end; whether it has ended."""
        if self._descriptor is not None:
            select.select([self._descriptor], [], [], seconds)
        elif self.alive():
            time.sleep(seconds)
        return not self.alive()

    def stop(self) -> None:
        """Fast shutdown (sessions are cut, a checkpoint is written); by force when that takes too long."""
        self._signal(signal.SIGINT)
        deadline = time.monotonic() + FAST_STOP_SECONDS
        while not self.wait(0.05):
            if time.monotonic() > deadline:
                self._signal(signal.SIGQUIT)
                deadline += FAST_STOP_SECONDS

    def _signal(self, number: signal.Signals) -> None:
        """Signal it if it is there."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive():
                os.kill(self.pid, number)

    def close(self) -> None:
        """Let go of the handle; the process is not touched."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def quit_leftovers(data: Path) -> None:
    """End the children of a postmaster that died: until they are gone no new one can start on the data."""
    for pid in leftovers(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
