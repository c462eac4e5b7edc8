"""How fast a task is explained: why it waits among many, and a long life with where its time went.

    python tests/benchmarks/why.py postgresql://user@host/annals_why --tasks 1000000

The database is dropped and made anew: a backlog of one queue and three classes, enqueued by the function
production uses, 500 tasks that run, and one task with 10,000 reports of progress. Medians, 95th percentiles
and the worst of 20 are printed, in milliseconds.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.store.migrate import migrate  # noqa: E402

BATCH, RUNNING, REPORTS, AT_ONCE, ROUNDS = 5000, 500, 10_000, 50, 20
TYPES = [{"task_type": "noop", "code_version": "1"}]
PROGRESS = (
    "SELECT count(*) FROM append_events(ARRAY(SELECT ROW('task', 'long', 'task.progressed',"
    " jsonb_build_object('percentage', n, 'step', 'step ' || n), NULL, NULL, NULL, NULL)::event_draft"
    " FROM generate_series(1, $1::integer) n))"
)
QUESTIONS = {
    "why_pending, first in its queue": "SELECT * FROM why_pending('first')",
    "why_pending, in the middle": "SELECT * FROM why_pending('middle')",
    "why_pending, last": "SELECT * FROM why_pending('last')",
    "why_pending, running": "SELECT * FROM why_pending('long')",
    "task_history, 10,000 events": "SELECT * FROM task_history('long')",
    "task_time_spent, 10,000 events": "SELECT * FROM task_time_spent('long')",
    "task_history, 1 event": "SELECT * FROM task_history('last')",
}


async def fresh(dsn: str) -> None:
    """Drop the database, make it, migrate it."""
    parts = urlsplit(dsn)
    name = parts.path.removeprefix("/")
    admin = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    await asyncio.to_thread(migrate, dsn)


async def build(db: "asyncpg.Connection[asyncpg.Record]", tasks: int) -> None:
    """Make the backlog, with a line of progress on stderr."""
    enqueue = "SELECT count(*) FROM enqueue_tasks($1, ring => false)"
    await db.execute("SELECT publish_task_types($1)", json.dumps(TYPES))
    await db.execute("SELECT start_worker('w-1', 'h', 1, '{default,running}', '{noop}', 1000)")
    await db.execute("SELECT enqueue_task('noop', task_id => 'long')")
    await db.execute("SELECT claim_tasks('w-1', '{default}', '{noop}', 1)")
    for _ in range(REPORTS // AT_ONCE):
        await db.execute(PROGRESS, AT_ONCE)
    running = [{"task_type": "noop", "queue": "running"}] * RUNNING
    await db.fetchval(enqueue, json.dumps(running))
    for done in range(0, tasks, BATCH):
        batch = [{"task_type": "noop", "priority": (2, 5, 9)[n % 3]} for n in range(BATCH)]
        named = {0: ("first", 1), tasks // 2 // BATCH * BATCH: ("middle", 5), tasks - BATCH: ("last", 10)}
        if done in named:
            task_id, priority = named[done]
            batch[-1 if task_id == "last" else 0] |= {"task_id": task_id, "priority": priority}
        await db.fetchval(enqueue, json.dumps(batch))
        print(f"\r{done + BATCH:,} enqueued", end="", file=sys.stderr)
    await db.execute("SELECT count(*) FROM claim_tasks('w-1', '{running}', '{noop}', $1)", RUNNING)
    await db.execute("VACUUM (ANALYZE)")
    print(file=sys.stderr)


async def measure(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Ask each question a few times."""
    print(f"{'milliseconds':36}{'median':>10}{'p95':>10}{'most':>10}")
    await db.execute("SELECT renew_worker('w-1')")
    for name, question in QUESTIONS.items():
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await db.fetch(question)
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        print(f"{name:36}{statistics.median(took):10.1f}{took[int(ROUNDS * 0.95) - 1]:10.1f}{took[-1]:10.1f}")


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=100_000)
    options = parser.parse_args()
    await fresh(options.dsn)
    db = await asyncpg.connect(options.dsn, server_settings={"jit": "off"})
    await build(db, options.tasks)
    await measure(db)
    await db.close()


asyncio.run(main())
