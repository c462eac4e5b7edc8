"""What the indexes that find the past cost those who write: enqueue and drain with and without them, in turn.

    python tests/benchmarks/travel_writes.py postgresql://user@host/annals_travel --rounds 5

The database is dropped and made anew. In each round both variants start from empty tables. Medians of tasks a
second, of the CPU time of the server (from /proc: run it there) and of WAL a task are printed; one task in
ten belongs to an agent.
"""

import argparse
import asyncio
import json
import statistics
import time
from typing import TypeAlias

import asyncpg
from travel import fresh  # the scripts beside this one
from weighing import cpu_seconds

INDEXES = ("task_attempts_positions", "events_after_the_fact", "events_tasks_of_agents")
EMPTY = "TRUNCATE background_tasks, task_attempts, depth_marks"
AGENT = "agent:00000000-0000-4000-8000-000000000001"
BATCH = 500
ENQUEUE = "SELECT count(*) FROM enqueue_tasks($1, ring => false)"
DRAIN = """
    WITH got AS MATERIALIZED (
        SELECT array_agg(c.task_id) AS ids, array_agg(c.lease) AS leases
        FROM claim_tasks('w-1', '{default}', '{noop}', $1) c)
    SELECT count(*) FROM got, end_attempts(
        'w-1', got.ids, got.leases, array_fill('completed'::text, ARRAY[$1]),
        array_fill('{}'::jsonb, ARRAY[$1]), ring => false)
"""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def one_round(
    db: Connection, definitions: dict[str, str], with_indexes: bool, tasks: int
) -> list[float]:
    """Enqueue/s, drain/s, CPU microseconds and WAL bytes a task, from empty tables."""
    await db.execute(EMPTY)
    await db.execute(f"DROP INDEX IF EXISTS {', '.join(INDEXES)}")
    for definition in definitions.values() if with_indexes else ():
        await db.execute(definition)
    await db.execute("VACUUM (ANALYZE) background_tasks, task_attempts, events")
    before = await db.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    batch = json.dumps(
        [{"task_type": "noop"} | ({"subject": AGENT} if n % 10 == 0 else {}) for n in range(BATCH)]
    )
    pid = db.get_server_pid()
    used, began = cpu_seconds(pid), time.perf_counter()
    for _ in range(tasks // BATCH):
        await db.fetchval(ENQUEUE, batch)
    enqueued = time.perf_counter()
    for _ in range(tasks // BATCH):
        assert await db.fetchval(DRAIN, BATCH) == BATCH
    drained, used = time.perf_counter(), cpu_seconds(pid) - used
    after = await db.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    return [
        tasks / (enqueued - began),
        tasks / (drained - enqueued),
        used * 1e6 / tasks,
        float(after - before) / tasks,
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    await fresh(options.dsn)
    db = await asyncpg.connect(options.dsn, server_settings={"jit": "off"})
    await db.execute("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    rows = await db.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY ($1)", INDEXES)
    definitions = dict(map(tuple, rows))
    assert set(definitions) == set(INDEXES), "an index has another name now"
    figures: dict[bool, list[list[float]]] = {True: [], False: []}
    for number in range(options.rounds * 2):
        variant = number % 4 in (0, 3)  # neither always follows the other
        figures[variant].append(await one_round(db, definitions, variant, options.tasks))
    print(f"{'':12}{'enqueue/s':>12}{'drain/s':>12}{'CPU us/task':>12}{'WAL B/task':>12}")
    for variant, name in ((True, "with"), (False, "without")):
        told = [statistics.median(column) for column in zip(*figures[variant], strict=True)]
        print(f"{name:12}" + "".join(f"{figure:12,.0f}" for figure in told))
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
