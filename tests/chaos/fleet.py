"""Worker processes to be tormented, and a client that enqueues through any weather."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos import work

ROOT = Path(__file__).resolve().parents[2]
# A worker is given up after 2 s of silence instead of 30, and gives itself up after 1 instead of 20.
HASTE = {
    "ANNALS_WORKER__HEARTBEAT_SECONDS": "0.3",
    "ANNALS_WORKER__SELF_FENCE_SECONDS": "1",
    "ANNALS_WORKER__LOST_AFTER_SECONDS": "2",
    "ANNALS_WORKER__POLL_INTERVAL_SECONDS": "0.2",
    "ANNALS_WORKER__GRACE_SECONDS": "5",
    # A task may meet many murders here; which worker dies is chance.
    "ANNALS_WORKER__MAX_RESCUES": "100",
}
KINDS = ("chaos_quick", "chaos_slow", "chaos_thread", "chaos_flaky")
# How asyncpg says that a connection is gone; the last when it breaks between two messages of one statement.
BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Fleet:
    """Worker processes on one database."""

    def __init__(self, dsn: str, log: Path) -> None:
        self.dsn, self.log = dsn, log
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, number: int = 1) -> None:
        """Start more workers; what they say goes to a file that a failing test can show."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANNALS_")}
        environment |= HASTE | {
            "ANNALS_ENV": "test",
            "DATABASE_URL": self.dsn,
            "PYTHONPATH": str(ROOT),
            "ANNALS_WORKER__IMPORTS": work.__name__,
            "ANNALS_WORKER__QUEUES": work.QUEUE,
        }
        command = [sys.executable, "-m", "service", "worker"]
        for _ in range(number):
            with self.log.open("ab") as log:
                self.processes.append(subprocess.Popen(command, env=environment, stderr=log, cwd=ROOT))

    def kill_one(self) -> None:
        """Kill -9 one of them, chosen by chance, and start another in its place."""
        victim = random.choice(self.processes)
        victim.kill()
        victim.wait()
        self.processes.remove(victim)
        self.start()

    def surprises(self) -> list[str]:
        """The workers' log lines of errors that nobody expected: those with a trace."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line["traceback"] for line in lines if line["level"] == "error" and "traceback" in line]

    def stop(self) -> list[int]:
        """End all of them in order; gives their exit codes."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(timeout=30) for process in self.processes]
        self.processes.clear()
        return codes


@contextmanager
def fleet(dsn: str, log: Path, number: int) -> Iterator[Fleet]:
    """So many workers while the block runs; none of them outlives it."""
    workers = Fleet(dsn, log)
    workers.start(number)
    try:
        yield workers
    finally:
        for process in workers.processes:
            process.kill()
            process.wait()


class Client:
    """Enqueues one task at a time, with ids of its own, until each is known to be in the log."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.accepted: list[str] = []
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def enqueue(self, number: int, pause: float = 0.0) -> None:
        """Enqueue so many tasks of all kinds, by chance, with pauses between them."""
        try:
            for _ in range(number):
                await self._persist(random.choice(KINDS), f"chaos-{len(self.accepted)}")
                await asyncio.sleep(pause)  # the rhythm of the load
        finally:
            if self._connection is not None:
                self._connection.terminate()

    async def _persist(self, task_type: str, task_id: str) -> None:
        """A connection that broke does not say whether the transaction was committed: the id tells."""
        while True:
            try:
                await self._enqueue(task_type, task_id)
            except BROKEN:
                self._connection = None
                await asyncio.sleep(0.05)  # the server is away: nothing tells when it is back
            except asyncpg.PostgresError as error:
                if error.sqlstate != "AN409":
                    raise
                break
            else:
                break
        self.accepted.append(task_id)

    async def _enqueue(self, task_type: str, task_id: str) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.dsn)
        return await self._connection.fetchval(
            "SELECT enqueue_task($1, jsonb_build_object('seconds', $2::float8), task_id => $3)",
            task_type,
            random.uniform(0.02, 0.4),
            task_id,
        )


async def until_live(connection: "asyncpg.Connection[asyncpg.Record]", number: int) -> None:
    """Wait until so many workers say that they live."""
    async with asyncio.timeout(30):
        while await connection.fetchval("SELECT count(*) FROM workers WHERE status = 'live'") < number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # they are other processes, starting
