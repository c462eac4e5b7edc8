"""How fast a log of any length is proven and carried to another database, and with how much memory.

    python tests/benchmarks/audit.py postgresql://user@host/postgres --tasks 50000

In databases of its own, which are dropped afterwards, so many tasks live through the functions of
production: enqueued, claimed and ended in batches of a thousand, each tenth with a progress, each
hundredth with a failed attempt; beside them agents, pauses and webhooks. Then the commands themselves
run. Printed are, for each, events a second over the whole command, its start included; microseconds of
processor time an event in its process and in its server processes (which other load changes least); and
the highest memory of both, of the server what is its own (shared buffers do not count; looked at fifty
times a second, where there is /proc).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from service.bench.machine import machine  # noqa: E402
from service.bench.scratch import Scratch, scratch  # noqa: E402

BATCH, LOOK_SECONDS = 1000, 0.02
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
NODE = "00000000-0000-4000-8000-00000000000a"
BEFORE = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT start_worker('w', 'h', 1, '{default}', '{noop}', 4)",
    f"""SELECT import_taxonomy('1', '[{{"node_id": "{NODE}", "label": "A", "canonical_path": ["A"]}}]')""",
    f"SELECT create_agent('a' || n, '{{{NODE}}}', '1') FROM generate_series(1, 20) n",
    "SELECT record_agent_query(a.agent_id, 12.5, 3) FROM agents a, generate_series(1, 20)",
    "SELECT pause_queue('q' || n), resume_queue('q' || n) FROM generate_series(1, 20) n",
)
ENQUEUE = """
    SELECT count(*) FROM enqueue_tasks((
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
            'task_type', 'noop', 'params', jsonb_build_object('n', n),
            'webhook_url', CASE WHEN n %% 200 = 0 THEN 'https://example.com/' END)))
        FROM generate_series(1, %s) n), ring => false)
"""
CLAIM = "SELECT array_agg(task_id), array_agg(lease) FROM claim_tasks('w', '{default}', '{noop}', %s)"
PROGRESS = """
    SELECT count(*) FROM progress_tasks(
        'w', %(ids)s, %(leases)s, array_fill(50::real, ARRAY[%(tasks)s]),
        array_fill('half'::text, ARRAY[%(tasks)s]), array_fill(NULL::jsonb, ARRAY[%(tasks)s]), ring => false)
"""
END = """
    SELECT count(*) FROM end_attempts(
        'w', %(ids)s, %(leases)s,
        ARRAY(SELECT CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'completed' END
              FROM generate_series(1, %(tasks)s) n),
        ARRAY(SELECT CASE WHEN n %% 100 = 0
                          THEN '{"error_type": "ValueError", "error_message": "no", "duration_ms": 1}'
                          ELSE '{"result": {"ok": true, "n": 1.5}, "duration_ms": 1}' END::jsonb
              FROM generate_series(1, %(tasks)s) n), ring => false)
"""
WEBHOOKS = """
    SELECT count(*) FROM request_webhooks(ARRAY(
        SELECT e.position FROM events e
        JOIN background_tasks t ON t.task_id = e.stream_id AND t.webhook_url IS NOT NULL
        WHERE e.type = 'task.completed'), ring => false)
"""
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass(slots=True)
class Server:
    """What the server processes of a command took, as far as it was seen."""

    ticks: dict[int, int] = field(default_factory=dict)
    memory_kb: int = 0

    def look(self, pid: int) -> None:
        """Read what the process has used by now."""
        with suppress(OSError):  # it ended meanwhile
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            own = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            self.ticks[pid] = int(times[11]) + int(times[12])
            self.memory_kb = max(self.memory_kb, int(own[1]) if own else 0)


def live(dsn: str, tasks: int) -> int:
    """Make the log; the number of its events."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for statement in BEFORE:
            connection.execute(statement.encode())
        for _ in range(0, tasks, BATCH):
            connection.execute(ENQUEUE, [BATCH])
        while (claimed := connection.execute(CLAIM, [BATCH]).fetchone()) and claimed[0]:
            ids, leases = claimed
            few = max(1, len(ids) // 10)
            connection.execute(PROGRESS, {"ids": ids[:few], "leases": leases[:few], "tasks": few})
            connection.execute(END, {"ids": ids, "leases": leases, "tasks": len(ids)})
        connection.execute(WEBHOOKS)
        connection.execute("VACUUM ANALYZE")
        row = connection.execute("SELECT count(*) FROM events").fetchone()
        return int(row[0]) if row else 0


@contextmanager
def watched(dsn: str) -> Iterator[Server]:
    """What the processes of the server that work on this database take meanwhile."""
    ended, server = threading.Event(), Server()

    def watch() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not ended.wait(LOOK_SECONDS):
                for (pid,) in connection.execute(BACKENDS):
                    server.look(pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield server
    finally:
        ended.set()
        watcher.join()


def timed(dsn: str, events: int, *arguments: str) -> None:
    """Run one command and print its line."""
    with watched(dsn) as server:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "audit", *arguments, "--json"],
            env=os.environ | {"DATABASE_URL": dsn},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"annals audit {' '.join(arguments)} failed")
    figures = {
        "events/s": events / seconds,
        "us client": (used.ru_utime + used.ru_stime) * 1e6 / events,
        "us server": sum(server.ticks.values()) * TICK_US / events,
        "MB client": used.ru_maxrss / 1024,
        "MB server": server.memory_kb / 1024,
    }
    name = " ".join([*arguments[:1], *(Path(argument).suffix for argument in arguments[-1:])])
    told = [f"{value:>10,.1f} {unit}" for unit, value in figures.items()]
    print(f"{name:16}", *told, flush=True)


def measure(place: Scratch, tasks: int, formats: list[str]) -> None:
    """Make a log, prove it, mend it, carry it over in every format, prove what came out."""
    with place.copy() as source, tempfile.TemporaryDirectory() as folder:
        events = live(source, tasks)
        print(f"{events:,} events of {tasks:,} tasks")
        timed(source, events, "verify")
        timed(source, events, "rebuild", "background_tasks")
        for suffix in formats:
            path = str(Path(folder) / f"log.{suffix}")
            form = "parquet" if suffix == "parquet" else "jsonl"
            timed(source, events, "export", "--format", form, "--output", path)
            with place.copy() as target:
                timed(target, events, "import", path)
                timed(target, events, "verify")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dsn", help="A database of a server on which databases may be made")
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--format", action="append", choices=["jsonl", "jsonl.gz", "parquet"])
    options = parser.parse_args()
    with scratch(options.dsn) as place:
        with psycopg.connect(options.dsn) as connection:
            version = connection.info.parameter_status("server_version")
        print(f"{machine()}, PostgreSQL {version}")
        measure(place, options.tasks, options.format or ["jsonl"])


if __name__ == "__main__":
    main()
