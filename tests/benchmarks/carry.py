"""How fast a log is exported and imported, and that memory does not grow with it.

    python tests/benchmarks/carry.py postgresql://user@host/postgres --events 100000 --events 1000000

For each number a log is made in a database of its own (three events a task, by the functions production
uses), exported and imported by the commands, verified, and dropped. Printed are events a second of the whole
command, its start included; the highest memory of its process; and of the server's process that works for it
the highest memory of its own (without what is shared), looked at twenty times a second where there is /proc.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from service.bench.scratch import Scratch, scratch  # noqa: E402

ENQUEUE = """
    SELECT count(*) FROM enqueue_tasks((
        SELECT jsonb_agg(jsonb_build_object('task_type', 'noop', 'params', jsonb_build_object('n', n)))
        FROM generate_series(1, %s) n), ring => false)
"""
WORK = """
    WITH x AS MATERIALIZED (SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', %s))
    SELECT count(*) FROM end_attempts(
        'w-1', (SELECT array_agg(task_id) FROM x), (SELECT array_agg(lease) FROM x),
        (SELECT array_agg('completed'::text) FROM x),
        (SELECT array_agg('{"result": {"ok": true, "n": 1.5}, "duration_ms": 1}'::jsonb) FROM x),
        ring => false)
"""
BACKENDS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def fill(dsn: str, events: int) -> None:
    """A log of about so many events."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
        connection.execute("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)")
        for _ in range(0, events, 3000):
            connection.execute(ENQUEUE, [1000])
        for _ in range(0, events, 3000):
            connection.execute(WORK, [1000])


@contextmanager
def backend_memory(dsn: str) -> Iterator[list[int]]:
    """The highest memory of its own, in kB, of any server process that serves a command meanwhile."""
    ended, highest = threading.Event(), [0]

    def watch() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not ended.wait(0.05):
                for (pid,) in connection.execute(BACKENDS):
                    with suppress(OSError, StopIteration):
                        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                        own = next(line for line in lines if line.startswith("RssAnon"))
                        highest[0] = max(highest[0], int(own.split()[1]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield highest
    finally:
        ended.set()
        watcher.join()


def timed(dsn: str, events: int, *arguments: str) -> None:
    """Run one command and print its line."""
    with backend_memory(dsn) as highest:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "audit", *arguments],
            env=os.environ | {"DATABASE_URL": dsn},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"annals audit {' '.join(arguments)} failed")
    name = " ".join(arguments[:1] + tuple(Path(argument).suffix for argument in arguments[-1:]))
    print(
        f"{events:>10,} {name:16} {events / seconds:>10,.0f} events/s {used.ru_maxrss // 1024:>6} MB"
        f" {highest[0] // 1024:>6} MB in the server {used.ru_utime + used.ru_stime:>8.1f} s processor",
        flush=True,
    )


def measure(place: Scratch, events: int, formats: list[str]) -> None:
    """Make a log, carry it over in every format, verify the last one."""
    with place.copy() as source, tempfile.TemporaryDirectory() as folder:
        fill(source, events)
        with psycopg.connect(source) as connection:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
        count = int(row[0]) if row else 0
        for suffix in formats:
            path = str(Path(folder) / f"log.{suffix}")
            form = "parquet" if suffix == "parquet" else "jsonl"
            timed(source, count, "export", "--format", form, "--output", path)
            with place.copy() as target:
                timed(target, count, "import", path)
                timed(target, count, "verify")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn", help="A database of a server on which databases may be made")
    parser.add_argument("--events", type=int, action="append", help="Events of a log; may be repeated")
    parser.add_argument("--format", action="append", choices=["jsonl", "jsonl.gz", "parquet"])
    given = parser.parse_args()
    with scratch(given.dsn) as place:
        for events in given.events or [100_000, 1_000_000]:
            measure(place, events, given.format or ["jsonl"])


if __name__ == "__main__":
    main()
