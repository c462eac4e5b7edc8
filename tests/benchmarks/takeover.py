"""Figures of the relay: how long a take-over takes, how fast a follower is, how punctual a schedule.

    python tests/benchmarks/takeover.py DSN [--strikes 10] [--tasks 20000]

DSN names an empty database, which is migrated; settings are the defaults (lease 3 s, renewed every second).
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from service.store.migrate import migrate

LEADER = """
    SELECT r.pid, l.term FROM relay_lease l JOIN relays r ON r.relay_id = l.holder
    WHERE l.expires_at > clock_timestamp() AND l.term > $1
"""
DONE = "SELECT sum(enqueued) FROM task_counts"
PUNCTUAL = """
    SELECT extract(epoch FROM recorded_at - (data ->> 'due_at')::timestamptz) * 1000 FROM events
    WHERE type = 'schedule.fired' AND (data ->> 'due_at')::timestamptz > $1
"""
Connection = asyncpg.Connection


def start(dsn: str) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"DATABASE_URL": dsn, "ANNALS_LOG__LEVEL": "ERROR"}
    return subprocess.Popen([sys.executable, "-m", "service", "relay"], env=environment)


@contextmanager
def two_relays(dsn: str) -> Iterator[dict[int, "subprocess.Popen[bytes]"]]:
    running = {process.pid: process for process in (start(dsn), start(dsn))}
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


async def leader(db: Connection, after_term: int = 0) -> tuple[int, int]:
    while not (row := await db.fetchrow(LEADER, after_term)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the row is all there is to look at
    return row["pid"], row["term"]


async def take_overs(dsn: str, db: Connection, number: signal.Signals, strikes: int) -> list[float]:
    """Seconds from the signal until another relay leads."""
    taken = []
    with two_relays(dsn) as running:
        pid, term = await leader(db, await db.fetchval("SELECT term FROM relay_lease"))
        for _ in range(strikes):
            while await db.fetchval("SELECT count(*) FROM relays WHERE seen_at > now() - interval '2 s'") < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the one that stands by is started anew each time
            began = time.perf_counter()
            running[pid].send_signal(number)
            killed, (pid, term) = pid, await leader(db, term)
            taken.append(time.perf_counter() - began)
            running.pop(killed).wait()
            fresh = start(dsn)
            running[fresh.pid] = fresh
    return taken


async def follow(dsn: str, db: Connection, tasks: int) -> float:
    """Events a second of the follower task_counts over a log that is there already (it wants all of them)."""
    for _ in range(0, tasks, 1000):
        await db.fetch("SELECT enqueue_task('noop', ring => false) FROM generate_series(1, 1000)")
    total = await db.fetchval("SELECT count(*) FROM background_tasks")
    counted = await db.fetchval(DONE) or 0
    with two_relays(dsn):
        await leader(db, await db.fetchval("SELECT term FROM relay_lease"))
        began = time.perf_counter()
        while (await db.fetchval(DONE) or 0) < total:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # as above
        return float((total - counted) / (time.perf_counter() - began))


async def punctuality(dsn: str, db: Connection, schedules: int) -> list[float]:
    """Milliseconds from the due time to the fire, of so many schedules that are due at once."""
    await db.fetch(
        """SELECT set_schedule('s-' || n, '{"cron": "* * * * *", "task_type": "noop"}')
           FROM generate_series(1, $1::integer) n""",
        schedules,
    )
    began = await db.fetchval("SELECT clock_timestamp()")
    with two_relays(dsn):
        while len(rows := await db.fetch(PUNCTUAL, began)) < schedules:  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # until the next minute begins
    return [float(row[0]) for row in rows]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--strikes", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--schedules", type=int, default=100)
    given = parser.parse_args()
    migrate(given.dsn)
    db = await asyncpg.connect(given.dsn)
    await db.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    for name, number in (("kill -9", signal.SIGKILL), ("clean stop", signal.SIGTERM)):
        seconds = await take_overs(given.dsn, db, number, given.strikes)
        print(f"{name}: next leader after {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s")
    print(f"follower: {await follow(given.dsn, db, given.tasks):,.0f} events/s")
    late = sorted(await punctuality(given.dsn, db, given.schedules))
    print(f"schedules: {len(late)} due at once fire after {late[0]:.0f} to {late[-1]:.0f} ms")
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
