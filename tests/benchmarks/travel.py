"""How fast the past is read: a long history is made, then read at random positions.

    python tests/benchmarks/travel.py postgresql://user@host/annals_travel --tasks 1000000

The database is dropped and made anew (--keep measures the one that is there). Tasks are enqueued, claimed and
ended by the functions production uses, in batches of thousands: retries, releases, cancels, retries by hand,
long runs and deleted agents among them, with a backlog that grows and is drained. Medians and 95th
percentiles in milliseconds are printed, at 50 random positions each.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.store.migrate import migrate  # noqa: E402

BATCH, AT_ONCE, LONG_RUNS, AGENTS = 3000, 500, 100, 20
OUTCOMES = ["completed"] * 94 + ["failed"] * 3 + ["timed_out", "released", "cancelled"]
TYPES = [{"task_type": f"type-{n}", "code_version": "1", "backoff": {"kind": "none"}} for n in range(5)]
NAMES = [kind["task_type"] for kind in TYPES]
QUEUES = [f"queue-{n}" for n in range(8)]
AGENT = "00000000-0000-4000-8000-0000000000{:02d}"
ENQUEUE = "SELECT count(*) FROM enqueue_tasks($1, ring => false)"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', $1, $2, $3)"
END = "SELECT count(*) FROM end_attempts('w-1', $1, $2, $3, $4::jsonb[], ring => false)"
CANCEL = (
    "SELECT count(*) FROM cancel_tasks(ARRAY(SELECT task_id FROM background_tasks"
    " WHERE status = 'pending' LIMIT 10), ring => false)"
)
RETRY = (
    "SELECT count(*) FROM retry_tasks(ARRAY(SELECT task_id FROM background_tasks"
    " WHERE status = 'failed' LIMIT 10), ring => false)"
)
DELETE = (
    "SELECT append_events(ARRAY[ROW('agent', $1, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)"
    "::event_draft])"
)

Statement = Callable[[int], Awaitable[Any]]


async def fresh(dsn: str) -> None:
    """Drop the database, make it, migrate it."""
    parts = urlsplit(dsn)
    name = parts.path.removeprefix("/")
    admin = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    await asyncio.to_thread(migrate, dsn)


def batch(rng: random.Random) -> str:
    """Tasks to enqueue: over all queues and classes, one in a hundred of an agent."""
    tasks: list[dict[str, Any]] = []
    for n in range(BATCH):
        task: dict[str, Any] = {"task_type": rng.choice(NAMES), "queue": rng.choice(QUEUES)}
        task |= {
            "priority": rng.choice((2, 5, 5, 5, 9)),
            "params": {"n": n, "text": "a hundred bytes of it" * 4},
        }
        if n % 100 == 0:
            task["subject"] = "agent:" + AGENT.format(rng.randrange(AGENTS))
        tasks.append(task)
    return json.dumps(tasks)


async def build(db: "asyncpg.Connection[asyncpg.Record]", tasks: int) -> None:
    """Make the history, with a line of progress on stderr."""
    rng, held, enqueued, began = random.Random(7), [], 0, time.perf_counter()
    await db.execute("SELECT publish_task_types($1)", json.dumps(TYPES))
    await db.execute("SELECT start_worker('w-1', 'h', 1, $1, $2, 4)", QUEUES, NAMES)
    while True:
        if enqueued < tasks:
            enqueued += await db.fetchval(ENQUEUE, batch(rng))
            await db.execute(CANCEL)
            await db.execute(RETRY)
        for _ in range(5):
            claimed = await db.fetch(CLAIM, QUEUES, NAMES, AT_ONCE)
            held += claimed
            rng.shuffle(held)
            ended, held = (held[LONG_RUNS:], held[:LONG_RUNS]) if claimed else (held, [])
            ids, leases = [row["task_id"] for row in ended], [row["lease"] for row in ended]
            details = ['{"duration_ms": 12, "error_message": "no"}'] * len(ended)
            await db.fetchval(END, ids, leases, [rng.choice(OUTCOMES) for _ in ended], details)
        if enqueued >= tasks and not claimed and not ended:
            break
        if enqueued // BATCH % 20 == 0 or enqueued >= tasks:
            print(f"\r{enqueued:,} enqueued, {time.perf_counter() - began:.0f} s", end="", file=sys.stderr)
    for number in range(2):
        await db.execute(DELETE, AGENT.format(number))
    await db.execute("VACUUM (ANALYZE)")
    print(file=sys.stderr)


async def marks(db: "asyncpg.Connection[asyncpg.Record]") -> str:
    """Write all depth marks; the events a second."""
    await db.execute("TRUNCATE depth_marks")
    began, reached, before, steps = time.perf_counter(), 0, -1, []
    while reached > before:
        step, before = time.perf_counter(), reached
        reached = await db.fetchval("SELECT extend_depth_marks()")
        steps.append((time.perf_counter() - step) * 1000)
    await db.execute("ANALYZE depth_marks")
    seconds = time.perf_counter() - began
    rate = f"{reached / seconds:,.0f} events/s, {statistics.median(steps):.0f} ms a step"
    count = await db.fetchval("SELECT count(*) FROM depth_marks")
    size = await db.fetchval("SELECT pg_total_relation_size('depth_marks') / 1024")
    return f"{count:,} depth marks ({size:,} kB) written at {rate}"


async def timed(name: str, positions: list[int], ask: Statement) -> None:
    """One line: median, 95th percentile and the worst of the positions."""
    took = []
    for position in positions:
        began = time.perf_counter()
        await ask(position)
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    print(
        f"{name:44}{statistics.median(took):10.1f}{took[int(len(took) * 0.95)]:10.1f}{took[-1]:10.1f}",
        flush=True,
    )


async def measure(db: "asyncpg.Connection[asyncpg.Record]", head: int, whole: int) -> None:
    """Every question, at 50 random positions; the whole list at a few."""
    rng = random.Random(11)
    positions = [rng.randrange(1, head) for _ in range(50)]
    names = [
        row[0]
        for row in await db.fetch("SELECT task_id FROM background_tasks TABLESAMPLE SYSTEM (1) LIMIT 500")
    ]
    asked: dict[str, Statement] = {
        "task_at(id, position)": lambda p: db.fetch(
            "SELECT * FROM task_at($1, $2::bigint)", rng.choice(names), p
        ),
        "position_at(time)": lambda p: db.fetch(
            "SELECT position_at((SELECT recorded_at FROM events WHERE position = $1))",
            p,
        ),
        "tasks_at(position, '{running}')": lambda p: db.fetch(
            "SELECT * FROM tasks_at($1::bigint, '{running}')", p
        ),
        "page of 50 newest": lambda p: db.fetch("SELECT * FROM tasks_page_at($1)", p),
        "page of 50, running": lambda p: db.fetch(
            "SELECT * FROM tasks_page_at($1, statuses => '{running}')", p
        ),
        "page of 50, pending": lambda p: db.fetch(
            "SELECT * FROM tasks_page_at($1, statuses => '{pending}')", p
        ),
        "page of 50, failed": lambda p: db.fetch(
            "SELECT * FROM tasks_page_at($1, statuses => '{failed}')", p
        ),
        "queue_depth_at(position)": lambda p: db.fetch("SELECT * FROM queue_depth_at($1::bigint)", p),
    }
    print(f"{'milliseconds':44}{'median':>10}{'p95':>10}{'most':>10}")
    for name, ask in asked.items():
        await timed(name, positions, ask)
    count = "SELECT count(*) FROM tasks_at($1::bigint)"
    await timed(f"the whole list, at {whole} positions", positions[:whole], lambda p: db.fetch(count, p))


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=3, help="Positions at which the whole list is read.")
    parser.add_argument("--keep", action="store_true", help="Measure the database as it is.")
    options = parser.parse_args()
    if not options.keep:
        await fresh(options.dsn)
    db = await asyncpg.connect(options.dsn, server_settings={"jit": "off"})
    if not options.keep:
        await build(db, options.tasks)
    head = await db.fetchval("SELECT stable_position()")
    tasks = await db.fetchval("SELECT count(*) FROM background_tasks")
    print(f"{tasks:,} tasks, {head:,} events")
    print(await marks(db))
    await measure(db, head, options.whole)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
