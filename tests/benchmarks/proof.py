"""How fast a log of any length is proven, and with how much memory.

    python tests/benchmarks/proof.py postgresql://user@host/postgres [--tasks 1000000] [--again]

Makes the database annals_proof anew (--again takes the one that is there) and lives so many tasks in it
through the functions of production: enqueued, claimed and completed in batches of a thousand, three events
each. Then it runs the commands themselves and prints, for each, events a second over the whole command,
events a second of CPU in its process and its server processes (which other load hardly changes), and their
peak memory (anonymous pages: shared buffers do not count).
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from service.store.migrate import migrate  # noqa: E402

DATABASE = "annals_proof"
BATCH = 1000
COMMANDS = (["verify"], ["rebuild", "background_tasks"])
SAMPLE_SECONDS = 0.2


def fresh(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {DATABASE}".encode())


async def enqueue(connection: asyncpg.Connection, tasks: int) -> None:
    for start in range(0, tasks, BATCH):
        batch = [{"task_type": "noop", "params": {"n": n}} for n in range(start, min(start + BATCH, tasks))]
        await connection.fetch(
            "SELECT FROM enqueue_tasks($1::jsonb, 'bench', ring => false)", json.dumps(batch)
        )


async def drain(connection: asyncpg.Connection) -> None:
    """Claim and complete until nothing waits, with the marks a worker would keep."""
    mark = 0
    while True:
        rows = await connection.fetch(
            "SELECT task_id, lease, ready_position, lane"
            " FROM claim_tasks('w-1', '{default}', '{noop}', $1, marks =>"
            " ARRAY(SELECT ROW(l.lane, $2, NULL)::lane_mark FROM lanes l))",
            BATCH,
            mark,
        )
        if not rows:
            return
        mark = max(row["ready_position"] for row in rows)
        details = [json.dumps({"result": {"n": n}, "duration_ms": 1}) for n in range(len(rows))]
        await connection.fetch(
            "SELECT FROM end_attempts('w-1', $1, $2, $3, $4::jsonb[], ring => false)",
            [row["task_id"] for row in rows],
            [row["lease"] for row in rows],
            ["completed"] * len(rows),
            details,
        )


async def live(dsn: str, tasks: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.fetch(
            """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')"""
        )
        await enqueue(connection, tasks)
        await drain(connection)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def anonymous_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"RssAnon:\s+(\d+)", status)
    return int(found[1]) if found else 0


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backends(watch: "psycopg.Connection[tuple[int]]") -> Iterator[int]:
    for row in watch.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'annals'"):
        yield row[0]


def measure(dsn: str, arguments: list[str]) -> dict[str, object]:
    """Run one command of the audit to its end, and watch it and its server processes."""
    peak = client = 0
    cpu: dict[int, float] = {}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "audit", *arguments, "--json"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": dsn},
        stdout=subprocess.PIPE,
        text=True,
    )
    with psycopg.connect(dsn, autocommit=True) as watch:
        watch.execute("SET application_name = 'watch'")
        while process.poll() is None:
            servers = list(backends(watch))
            peak = max(peak, sum(map(anonymous_kib, servers)))
            client = max(client, anonymous_kib(process.pid))
            cpu |= {pid: used for pid in (process.pid, *servers) if (used := cpu_seconds(pid))}
            time.sleep(SAMPLE_SECONDS)  # a sample, not a wait
    seconds = time.perf_counter() - began
    *_, last = (process.stdout or iter(())).read().splitlines()  # type: ignore[union-attr]
    events = json.loads(last)["events"]
    return {
        "command": " ".join(arguments),
        "exit": process.returncode,
        "events": events,
        "seconds": round(seconds, 1),
        "events/s": round(events / seconds),
        "events/CPU-s": round(events / sum(cpu.values())),
        "client MiB": client // 1024,
        "server MiB": peak // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    dsn = re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{DATABASE}", options.dsn)
    if not options.again:
        fresh(options.dsn)
        migrate(dsn)
        asyncio.run(live(dsn, options.tasks))
    for arguments in COMMANDS:
        print("  ".join(f"{name} {value}" for name, value in measure(dsn, arguments).items()), flush=True)


if __name__ == "__main__":
    main()
