"""Relays are killed and paused: every schedule fires once for each due time, every event is counted once.

The leader is struck each time: kill -9, or SIGSTOP for longer than its lease and SIGCONT when another leads,
so that it wakes up in the middle of what it was doing, with a lease that is not its own any more.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from tests.chaos.ledger import assert_audit_finds_nothing

ROOT = Path(__file__).resolve().parents[2]
HASTE = {
    "ANNALS_RELAY__LEASE_SECONDS": "0.8",
    "ANNALS_RELAY__RENEW_SECONDS": "0.2",
    "ANNALS_RELAY__POLL_INTERVAL_SECONDS": "0.1",
}
pytestmark = pytest.mark.timeout(600)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
LEADER = """
    SELECT r.pid, l.term FROM relay_lease l JOIN relays r ON r.relay_id = l.holder
    WHERE l.expires_at > clock_timestamp() AND l.term > $1
"""
# Overdue from the start: each is to fire at once, and again with each minute that begins.
OVERDUE = """
    SELECT set_schedule('s-' || n, '{"cron": "* * * * *", "task_type": "noop"}',
                        at => now() - interval '90 seconds')
    FROM generate_series($1::integer, $2::integer) n
"""
TWICE = """
    SELECT stream_id, data ->> 'due_at', count(*) FROM events WHERE type = 'schedule.fired'
    GROUP BY 1, 2 HAVING count(*) > 1
"""
WITHOUT_ITS_TASK = """
    SELECT f.position FROM events f LEFT JOIN events t
        ON t.type = 'task.enqueued' AND t.stream_id = f.data ->> 'task_id'
    WHERE f.type = 'schedule.fired' AND t.position IS NULL
"""
COUNTS = """
    SELECT (SELECT coalesce(sum(enqueued), 0) FROM task_counts), count(*)
    FROM events WHERE type = 'task.enqueued'
"""


class Relays:
    """Relay processes on one database, by pid."""

    def __init__(self, dsn: str, log: Path, more: dict[str, str]) -> None:
        self.dsn, self.log, self.more = dsn, log, more
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANNALS_")}
        environment |= (
            HASTE | self.more | {"ANNALS_ENV": "test", "DATABASE_URL": self.dsn, "PYTHONPATH": str(ROOT)}
        )
        for _ in range(number):
            with self.log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "service", "relay"], env=environment, stderr=log, cwd=ROOT
                )
            self.processes[process.pid] = process

    def kill(self, pid: int, *, replace: bool = True) -> None:
        process = self.processes.pop(pid)
        process.kill()
        process.wait()
        if replace:
            self.start(1)

    def surprises(self) -> list[str]:
        """What nobody expected: log lines of errors with a trace."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line["traceback"] for line in lines if "traceback" in line]

    def stop(self) -> set[int]:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {process.wait(timeout=30) for process in self.processes.values()}


@contextmanager
def relays(dsn: str, log: Path, number: int, **more: str) -> Iterator[Relays]:
    """So many relays while the block runs; `more` are variables of their environment."""
    running = Relays(dsn, log, more)
    running.start(number)
    try:
        yield running
    except BaseException as error:
        # Shown with the failure: what the relays said, and which of them had ended by themselves.
        ended = {pid: process.poll() for pid, process in running.processes.items()}
        error.add_note(f"relays and their exit codes: {ended}\n{log.read_text()}")
        raise
    finally:
        for process in running.processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
async def db(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    await connection.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    yield connection
    await connection.close()


async def leader(db: Connection, after_term: int = 0) -> tuple[int, int]:
    """Pid and term of the relay that leads, once one does in a later term."""
    async with asyncio.timeout(60):
        while not (row := await db.fetchrow(LEADER, after_term)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # they are other processes, and tell only the database
    return row["pid"], row["term"]


async def settled(db: Connection, schedules: int) -> None:
    """Wait until every schedule has fired and everything is counted."""
    async with asyncio.timeout(60):
        while True:
            fired = await db.fetchval("SELECT count(*) FROM schedules WHERE last_fired_at NOTNULL")
            counted, in_log = await db.fetchrow(COUNTS) or (0, 1)
            if fired == schedules and counted >= in_log:
                return
            await asyncio.sleep(0.05)  # as above


async def test_struck_leaders_do_nothing_twice_and_leave_nothing_out(
    database: str, db: Connection, tmp_path: Path, intensity: int
) -> None:
    made, strikes = 0, 6 * intensity
    with relays(database, tmp_path / "relays.log", 3) as running:
        pid, term = await leader(db)
        for strike in range(strikes):
            await db.fetch(OVERDUE, made + 1, made + 60)
            made += 60
            await asyncio.sleep(random.uniform(0.0, 0.3))  # the moment of the strike, by chance
            if strike % 2:
                os.kill(pid, signal.SIGSTOP)
                paused, (pid, term) = pid, await leader(db, term)
                os.kill(paused, signal.SIGCONT)
            else:
                running.kill(pid)
                pid, term = await leader(db, term)
        await settled(db, made)
        assert await asyncio.to_thread(running.stop) == {0}
        assert running.surprises() == []
    assert term > strikes, "each strike had its take-over"
    assert await db.fetch(TWICE) == []
    assert await db.fetch(WITHOUT_ITS_TASK) == []
    counted, in_log = await db.fetchrow(COUNTS) or (0, 0)
    assert counted == in_log == await db.fetchval("SELECT count(*) FROM events WHERE type = 'schedule.fired'")
    assert await db.fetchval("SELECT count(*) FROM parked_events") == 0
    await asyncio.to_thread(assert_audit_finds_nothing, database)


async def test_after_a_kill_another_leads_and_after_a_farewell_at_once(
    database: str, db: Connection, tmp_path: Path
) -> None:
    """By the order of events: who leads after, and whether the lease had to run out first."""
    with relays(database, tmp_path / "relays.log", 2) as running:
        pid, term = await leader(db)
        expires_at = await db.fetchval("SELECT expires_at FROM relay_lease")
        running.kill(pid)
        heir, next_term = await leader(db, term)
        assert heir != pid and next_term == term + 1
        taken_at = await db.fetchval("SELECT taken_at FROM relay_lease")
        assert taken_at >= expires_at, "a lease that was not given back runs out first"
        running.processes[heir].send_signal(signal.SIGTERM)
        await asyncio.to_thread(running.processes.pop(heir).wait)
        last, last_term = await leader(db, next_term)
        assert last != heir and last_term == next_term + 1
        assert await asyncio.to_thread(running.stop) == {0}
