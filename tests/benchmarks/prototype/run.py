"""Compares the forms of log and queue that were weighed before the tables were fixed.

    python tests/benchmarks/prototype/run.py postgresql://user@host/postgres [--tasks 20000] [--rounds 3]

Each variant gets a fresh database of its own, all variants in turn in each round. One connection claims in
batches of 500 while another completes them; medians of tasks/s, and WAL bytes a task, are printed.
"""

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path

import asyncpg

HERE = Path(__file__).parent
DATABASE = "annals_prototype"
BATCH = 500


async def fresh(
    admin: asyncpg.Connection, base: str, variant: str
) -> tuple[asyncpg.Connection, asyncpg.Connection]:
    await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {DATABASE}")
    first, second = [await asyncpg.connect(f"{base}/{DATABASE}") for _ in range(2)]
    await first.execute((HERE / "base.sql").read_text())
    if variant != "base":
        await first.execute((HERE / f"{variant}.sql").read_text())
    await first.execute("VACUUM ANALYZE")
    await admin.execute("CHECKPOINT")
    return first, second


async def enqueue(connection: asyncpg.Connection, tasks: int) -> float:
    started = time.perf_counter()
    for start in range(0, tasks, 1000):
        params = [{"t": 1234.5678, "i": i, "pad": "x" * 56} for i in range(start, start + 1000)]
        batch = json.dumps([{"task_type": "noop", "params": one} for one in params])
        await connection.fetch("SELECT enqueue($1::jsonb)", batch)
    return tasks / (time.perf_counter() - started)


async def drain(claiming: asyncpg.Connection, finishing: asyncpg.Connection, tasks: int) -> float:
    batches: asyncio.Queue[list[asyncpg.Record]] = asyncio.Queue(4)

    async def claim() -> None:
        mark = 0
        while True:
            rows = await claiming.fetch(
                "SELECT * FROM claim('w-1', '{default}', '{noop}', $1, $2)", BATCH, mark
            )
            await batches.put(rows)
            if not rows:
                return
            mark = rows[-1]["ready_position"]

    async def finish() -> None:
        while rows := await batches.get():
            ids, leases = [row["task_id"] for row in rows], [row["lease"] for row in rows]
            details = ['{"duration_ms": 0.123}'] * len(rows)
            arguments = (ids, leases, ["completed"] * len(rows), details)
            await finishing.fetch("SELECT * FROM finish('w-1', $1, $2, $3, $4::jsonb[])", *arguments)

    started = time.perf_counter()
    await asyncio.gather(claim(), finish())
    return tasks / (time.perf_counter() - started)


async def wal(admin: asyncpg.Connection) -> int:
    return int(await admin.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    base = options.dsn.rsplit("/", 1)[0]
    variants = ["base", *sorted(path.stem for path in HERE.glob("*.sql") if path.stem != "base")]
    figures: dict[str, list[tuple[float, float, float]]] = {variant: [] for variant in variants}
    admin = await asyncpg.connect(options.dsn)
    for _ in range(options.rounds):
        for variant in variants:
            first, second = await fresh(admin, base, variant)
            before = await wal(admin)
            enqueued = await enqueue(first, options.tasks)
            await first.execute("ANALYZE")
            drained = await drain(first, second, options.tasks)
            ended = await first.fetchval("SELECT count(*) FROM task_attempts")
            assert ended == options.tasks, f"{variant}: {ended} of {options.tasks} ended"
            figures[variant].append((enqueued, drained, (await wal(admin) - before) / options.tasks))
            await first.close()
            await second.close()
    print(f"{'variant':24}{'enqueue/s':>12}{'claim+finish/s':>16}{'WAL B/task':>12}")
    for variant, rounds in figures.items():
        enqueued, drained, written = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{variant:24}{enqueued:12,.0f}{drained:16,.0f}{written:12,.0f}")
    await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


asyncio.run(main())
