"""Figures of delayed work: how late it starts, what that costs, and what an idle worker costs.

    python tests/benchmarks/on_time.py DSN [--tasks 10000] [--spread 60] [--backlog 100000] [--workers 1]

DSN names an empty database, which is migrated. `tasks` wait for times spread over `spread` seconds, in front
of a `backlog` that waits for tomorrow. Transactions are what the server counts: claims, ends, rings, signs of
life, and one of each listening connection for each ring that it hears.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from service.bench import tasks
from service.bench.figures import percentile
from service.settings import load
from service.store.fleet import FleetStore
from service.store.migrate import migrate
from service.store.pool import Database
from service.store.tasks import TaskStore

BATCH = 1000
IDLE_SECONDS = 20
NOW = "SELECT clock_timestamp()"
# What this script asks on its own connections is a handful, and is left in.
TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
LIVE = "SELECT count(*) FROM workers WHERE status = 'live'"
LEFT = "SELECT count(*) FROM background_tasks WHERE run_at < $1 AND status <> 'completed'"
LATE = """
    SELECT extract(epoch FROM started_at - run_at)::float8 * 1000 FROM background_tasks
    WHERE run_at < $1 ORDER BY 1
"""
CLAIMS = "SELECT count(DISTINCT (actor, recorded_at)) FROM events WHERE type = 'task.started'"


@contextmanager
def workers(dsn: str, number: int) -> Iterator[None]:
    """Worker processes with the settings of production, quiet."""
    environment = os.environ | {
        "DATABASE_URL": dsn,
        "ANNALS_LOG__LEVEL": "WARNING",
        "ANNALS_WORKER__IMPORTS": tasks.__name__,
        "ANNALS_WORKER__QUEUES": tasks.QUEUE,
    }
    command = [sys.executable, "-m", "service", "worker"]
    running = [subprocess.Popen(command, env=environment) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def fill(db: Database, number: int, first: datetime, spread: float) -> None:
    """Tasks that wait for times spread evenly, by chance, over so many seconds."""
    for _ in range(0, number, BATCH):
        times = [first + timedelta(seconds=random.uniform(0, spread)) for _ in range(min(BATCH, number))]
        drafts = [{"task_type": tasks.NOOP, "run_at": at.isoformat()} for at in times]
        await TaskStore(db).enqueue(drafts, actor="bench")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--spread", type=float, default=60)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    migrate(given.dsn)
    async with await Database.open(load().database, given.dsn) as db:
        await FleetStore(db).publish_task_types(tasks.catalogue())
        now = await db.fetchval(NOW)
        await fill(db, given.backlog, now + timedelta(days=1), given.spread)
        with workers(given.dsn, given.workers):
            while await db.fetchval(LIVE) < given.workers:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # they are other processes, starting
            began = await db.fetchval(TRANSACTIONS)
            await asyncio.sleep(IDLE_SECONDS)  # what an idle worker costs in this time
            idle = (await db.fetchval(TRANSACTIONS) - began) / IDLE_SECONDS / given.workers
            print(f"idle: {idle:.1f} transactions/s for each worker")
            first = await db.fetchval(NOW) + timedelta(seconds=8)
            last = first + timedelta(seconds=given.spread)
            await fill(db, given.tasks, first, given.spread)
            began = await db.fetchval(TRANSACTIONS)
            while await db.fetchval(LEFT, last):  # noqa: ASYNC110
                await asyncio.sleep(1)  # until the last of them is due
            await asyncio.sleep(2)  # the server counts a second later
            transactions = (await db.fetchval(TRANSACTIONS) - began) / given.tasks
        late = [row[0] for row in await db.fetch(LATE, last)]
        told = ", ".join(f"p{share} {percentile(late, share / 100):.0f} ms" for share in (50, 95, 99))
        print(f"late: {told}, at most {late[-1]:.0f} ms, at least {late[0]:.1f} ms")
        claims = await db.fetchval(CLAIMS)
        print(f"cost: {transactions:.2f} transactions a task; {given.tasks / claims:.1f} tasks in a claim")


if __name__ == "__main__":
    asyncio.run(main())
