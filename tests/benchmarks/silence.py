"""Figures of rescue and deadlines: how soon a task that lost its worker may run again, and how late one ends.

    python tests/benchmarks/silence.py DSN [--rounds 3]

DSN names an empty database, which is migrated; settings are the defaults. A worker and two relays run, and no
other worker: first the worker is killed, then the worker with the leading relay, then the worker is stopped
(SIGSTOP) over the deadline of its task. A round takes two minutes.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from service.store.migrate import migrate

TIMEOUT_SECONDS = 5
TYPES = """SELECT publish_task_types('[{"task_type": "outlast", "code_version": "0"}]')"""
LIVE = "SELECT count(*) FROM workers WHERE status = 'live' AND seen_at > now() - interval '6 s'"
LEADER = "SELECT pid FROM relays r JOIN relay_lease l ON l.holder = r.relay_id WHERE l.expires_at > now()"
RELAYS = "SELECT count(*) FROM relays WHERE seen_at > now() - interval '2 s'"
ENQUEUE = "SELECT enqueue_task('outlast', timeout_seconds => $1::real)"
EVENT = "SELECT recorded_at FROM events WHERE stream_id = $1 AND type = $2 ORDER BY position DESC LIMIT 1"
NOW = "SELECT clock_timestamp()"
Process = subprocess.Popen[bytes]
Connection = asyncpg.Connection


class Town:
    """A worker and two relays."""

    def __init__(self, dsn: str, db: Connection) -> None:
        self.dsn, self.db = dsn, db
        self.worker = self.start("worker")
        self.relays = {relay.pid: relay for relay in (self.start("relay"), self.start("relay"))}

    def start(self, command: str) -> Process:
        more = {"DATABASE_URL": self.dsn, "ANNALS_LOG__LEVEL": "ERROR"}
        more |= {"ANNALS_WORKER__IMPORTS": "tests.integration.worker_tasks"}
        return subprocess.Popen([sys.executable, "-m", "service", command], env=os.environ | more)

    async def until(self, statement: str, *arguments: object, at_least: int = 1) -> object:
        """Wait until a look gives something, or enough of it."""
        while True:
            found = await self.db.fetchval(statement, *arguments)
            if found is not None and (not isinstance(found, int) or found >= at_least):
                return found
            await asyncio.sleep(0.05)  # other processes write it

    async def running(self, timeout: float) -> str:
        """A task that has begun and never ends by itself."""
        await self.until(LIVE)
        await self.until(RELAYS, at_least=2)
        task_id = str(await self.db.fetchval(ENQUEUE, timeout))
        await self.until(EVENT, task_id, "task.progressed")
        return task_id

    async def rescue(self, with_leader: bool) -> float:
        """Seconds from the death of the worker to the return of its task."""
        task_id = await self.running(300)
        victims = [self.worker]
        if with_leader:
            victims.append(self.relays.pop(int(str(await self.until(LEADER)))))
        began = await self.db.fetchval(NOW)
        for victim in victims:
            victim.kill()
            victim.wait()
        rescued = await self.until(EVENT, task_id, "task.rescued")
        self.worker = self.start("worker")
        if with_leader:
            fresh = self.start("relay")
            self.relays[fresh.pid] = fresh
        await self.until(EVENT, task_id, "task.completed")
        return float((rescued - began).total_seconds())

    async def deadline(self) -> float:
        """Seconds from the deadline of a task to its end, while its worker is stopped."""
        task_id = await self.running(TIMEOUT_SECONDS)
        self.worker.send_signal(signal.SIGSTOP)
        started = await self.until(EVENT, task_id, "task.started")
        ended = await self.until(EVENT, task_id, "task.retry_scheduled")
        self.worker.send_signal(signal.SIGCONT)
        await self.until(EVENT, task_id, "task.completed")
        return float((ended - started).total_seconds()) - TIMEOUT_SECONDS


@contextmanager
def town(dsn: str, db: Connection) -> Iterator[Town]:
    running = Town(dsn, db)
    try:
        yield running
    finally:
        for process in (running.worker, *running.relays.values()):
            process.kill()
            process.wait()


def say(what: str, seconds: list[float]) -> None:
    print(f"{what}: {min(seconds):.1f} to {max(seconds):.1f} s", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    migrate(given.dsn)
    db = await asyncpg.connect(given.dsn)
    await db.fetch(TYPES)
    with town(given.dsn, db) as fleet:
        rounds = range(given.rounds)
        say("worker killed, task waits again after", [await fleet.rescue(False) for _ in rounds])
        say("worker and leading relay killed, after", [await fleet.rescue(True) for _ in rounds])
        say("worker stopped, attempt ended after its deadline by", [await fleet.deadline() for _ in rounds])
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
