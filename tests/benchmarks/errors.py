"""What grouping failures costs while everything fails, and how fast groups and diffs are read.

    python tests/benchmarks/errors.py postgresql://user@host/annals_errors --drain 20000
    python tests/benchmarks/errors.py postgresql://user@host/annals_travel --read

--drain: on a migrated database of its own, two connections claim and fail batches of 200 tasks, each failure
with a traceback of nine frames and a message of its own. Rounds with the fingerprint alternate with rounds in
which its function gives NULL, so that neither it nor its index entry costs anything.

--read: on any database, for instance the one that travel.py has made.
"""

import argparse
import asyncio
import json
import statistics
import time

import asyncpg

ROUNDS, BATCH, AT_ONCE = 5, 1000, 200
TYPES = [{"task_type": "noop", "code_version": "1", "max_attempts": 1}]
FRAME = '  File "/srv/shop/billing/step_{0}.py", line 7, in step_{0}\n    return step(order)\n'
TRACE = "Traceback (most recent call last):\n" + "".join(FRAME.format(n) for n in range(9)) + "KeyError: 17\n"
ENQUEUE = "SELECT count(*) FROM enqueue_tasks($1, ring => false)"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', $1)"
END = "SELECT count(*) FROM end_attempts('w-1', $1, $2, $3, $4::jsonb[], ring => false)"
KEPT = "SELECT pg_get_functiondef('error_fingerprint'::regproc)"
NOTHING = (
    "CREATE OR REPLACE FUNCTION error_fingerprint(task_type text, error_type text, error_message text,"
    " error_traceback text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN NULL; END'"
)
# What is asked, and from where: everything, or the last hundredth of the log.
SINCE = {"everything": 0.0, "the last hundredth": 0.99}
ASKED = {"groups of errors": "SELECT * FROM errors_between($1, $2)"} | {
    f"diff_{name}": f"SELECT * FROM diff_{name}($1, $2)"
    for name in ("tasks", "errors", "queues", "coverage", "events")
}


async def fail_all(dsn: str) -> int:
    """Claim and fail until nothing is left; how many."""
    db, failed = await asyncpg.connect(dsn), 0
    while held := await db.fetch(CLAIM, AT_ONCE):
        details = [
            json.dumps(
                {"error_type": "KeyError", "error_message": f"order {n} is gone", "error_traceback": TRACE}
            )
            for n in range(len(held))
        ]
        ids, leases = [row["task_id"] for row in held], [row["lease"] for row in held]
        await db.fetchval(END, ids, leases, ["failed"] * len(held), details)
        failed += len(held)
    await db.close()
    return failed


async def drain(dsn: str, tasks: int) -> None:
    """A line for each kind of round: the median of failures a second, and WAL for each."""
    db = await asyncpg.connect(dsn)
    await db.execute("SELECT publish_task_types($1)", json.dumps(TYPES))
    functions = {"with fingerprint": await db.fetchval(KEPT), "without": NOTHING}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            await db.execute(function)
            for _ in range(tasks // BATCH):
                await db.execute(ENQUEUE, json.dumps([{"task_type": "noop"}] * BATCH))
            await db.execute("VACUUM ANALYZE background_tasks")
            wal = await db.fetchval("SELECT pg_current_wal_lsn()")
            began = time.perf_counter()
            failed = sum(await asyncio.gather(fail_all(dsn), fail_all(dsn)))
            took = time.perf_counter() - began
            written = await db.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1)::float8", wal)
            rates[name].append((failed / took, written / failed))
    await db.execute(functions["with fingerprint"])
    for name, found in rates.items():
        speed, wal = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:20}{speed:10,.0f} failures/s{wal:10,.0f} bytes of WAL each")
    await db.close()


async def read(dsn: str) -> None:
    """A line for each question: the median of three, in milliseconds."""
    db = await asyncpg.connect(dsn, server_settings={"jit": "off"})
    head = await db.fetchval("SELECT stable_position()")
    failures = await db.fetchval("SELECT count(*) FROM task_attempts WHERE fingerprint IS NOT NULL")
    groups = await db.fetchval("SELECT count(*) FROM errors")
    reached, before = 0, -1
    while reached > before:  # as the API does all the time, and annals audit diff before it asks
        before, reached = reached, await db.fetchval("SELECT extend_depth_marks()")
    print(f"{head:,} positions, {failures:,} failed attempts in {groups:,} groups")
    for stretch, since in SINCE.items():
        for name, statement in ASKED.items():
            took = []
            for _ in range(3):
                began = time.perf_counter()
                await db.fetch(statement, int(head * since), head)
                took.append((time.perf_counter() - began) * 1000)
            print(f"{f'{name}, {stretch}':40}{statistics.median(took):10,.0f} ms", flush=True)
    await db.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn")
    parser.add_argument("--drain", type=int, metavar="TASKS", help="tasks a round")
    parser.add_argument("--read", action="store_true")
    options = parser.parse_args()
    if options.drain:
        asyncio.run(drain(options.dsn, options.drain))
    if options.read:
        asyncio.run(read(options.dsn))


if __name__ == "__main__":
    main()
