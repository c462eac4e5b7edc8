"""What it takes to remove finished tasks, and what those who work notice of it.

    python tests/benchmarks/retention.py postgresql://user@host/annals_retention --tasks 1000000

The database is dropped and made anew. So many tasks are finished and then removed as fast as the server can,
row by row of what retention prints: rows a second, the longest transaction, WAL and CPU a row. Then new tasks
are drained with and without a relay's pace of removal beside them (a rest of four times each batch), in turn.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
from travel import fresh  # the scripts beside this one
from travel_writes import BATCH, DRAIN, ENQUEUE, Connection
from weighing import cpu_seconds

from service.relay.retention import REST

DRAFTS = """SELECT jsonb_agg('{"task_type": "noop"}'::jsonb)::text FROM generate_series(1, $1)"""
APPLY = "SELECT * FROM apply_retention('tasks', $1, $2, actor => 'relay', ring => false)"
LSN = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
NOW = timedelta(0)


async def finish(db: Connection, tasks: int, enqueue: bool = True) -> float:
    """Enqueue (if asked) and drain; tasks a second of the draining."""
    drafts = await db.fetchval(DRAFTS, BATCH)
    for _ in range(tasks // BATCH if enqueue else 0):
        await db.fetchval(ENQUEUE, drafts)
    began = time.perf_counter()
    for _ in range(tasks // BATCH):
        assert await db.fetchval(DRAIN, BATCH) == BATCH
    return tasks / (time.perf_counter() - began)


async def remove(db: Connection, batch: int, rest: float = 0) -> list[tuple[float, int]]:
    """Remove everything; milliseconds and rows of each batch."""
    taken: list[tuple[float, int]] = []
    while True:
        began = time.perf_counter()
        row: Any = await db.fetchrow(APPLY, NOW, batch)
        seconds = time.perf_counter() - began
        taken.append((seconds * 1000, row["removed"]))
        if row["done"]:
            return taken
        await asyncio.sleep(rest * seconds)


async def alone(db: Connection, batch: int) -> None:
    pid, before = db.get_server_pid(), await db.fetchval(LSN)
    used, began = cpu_seconds(pid), time.perf_counter()
    taken = await remove(db, batch)
    seconds, used, wal = time.perf_counter() - began, cpu_seconds(pid) - used, await db.fetchval(LSN) - before
    rows = sum(removed for _, removed in taken)
    times = sorted(took for took, removed in taken if removed)
    print(f"removed {rows:,} rows in {len(times):,} batches: {rows / seconds:,.0f} rows/s,", end=" ")
    print(f"{used * 1e6 / rows:,.0f} us CPU and {wal / rows:,.0f} B of WAL a row;", end=" ")
    print(f"transactions of {statistics.median(times):,.1f} ms, at most {times[-1]:,.1f} ms")


async def beside(db: Connection, dsn: str, batch: int, tasks: int, rounds: int) -> None:
    """Drains with and without removal at the relay's pace beside them, of what was finished before."""
    speeds: dict[bool, list[float]] = {True: [], False: []}
    paced: list[float] = []
    other = await asyncpg.connect(dsn, server_settings={"jit": "off"})
    for number in range(rounds * 2):
        with_removal = number % 4 in (0, 3)  # neither always follows the other
        await finish(db, tasks)
        drafts = await db.fetchval(DRAFTS, BATCH)
        for _ in range(tasks // BATCH):
            await db.fetchval(ENQUEUE, drafts)
        began, before = time.perf_counter(), await db.fetchval("SELECT count(*) FROM background_tasks")
        removal = asyncio.create_task(remove(other, batch, REST)) if with_removal else None
        speeds[with_removal].append(await finish(db, tasks, enqueue=False))
        if removal:
            removal.cancel()
            with suppress(asyncio.CancelledError):
                await removal
            left = await db.fetchval("SELECT count(*) FROM background_tasks")
            paced.append((before - left) / (time.perf_counter() - began))
        await remove(other, batch)
        await db.execute("VACUUM background_tasks")
    for with_removal, name in ((False, "without"), (True, "with")):
        print(f"drain {name} removal beside it: {statistics.median(speeds[with_removal]):,.0f} tasks/s")
    print(f"removed meanwhile at the relay's pace: {statistics.median(paced):,.0f} rows/s")
    await other.close()


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    await fresh(options.dsn)
    db = await asyncpg.connect(options.dsn, server_settings={"jit": "off"})
    await db.execute("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    print(f"finished {options.tasks:,} tasks: {await finish(db, options.tasks):,.0f} tasks/s")
    await db.execute("VACUUM (ANALYZE) background_tasks, task_attempts, events")
    await alone(db, options.batch)
    await beside(db, options.dsn, options.batch, 20_000, options.rounds)
    await db.close()


asyncio.run(main())
