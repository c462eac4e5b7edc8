"""Workers and relays fall silent together: what ran is running again, and nothing is ended twice."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from tests.chaos import fleet
from tests.chaos.ledger import Ledger, assert_audit_finds_nothing
from tests.chaos.test_relays import leader, relays

TASKS = 5
GRACE = {"ANNALS_RELAY__DEADLINE_GRACE_SECONDS": "0.5"}
pytestmark = pytest.mark.timeout(600)
ENQUEUE = """
    SELECT enqueue_task('chaos_slow', '{"seconds": 4}', task_id => 'slow-' || n)
    FROM generate_series(1, $1::integer) n
"""
RUNNING = "SELECT count(*) FROM background_tasks WHERE status = 'running'"
SHORT = "SELECT enqueue_task('noop', timeout_seconds => 0.3, max_attempts => 1) FROM generate_series(1, 40)"
CLAIM = "SELECT claim_tasks('by-hand', '{default}', '{noop}', 40) IS NULL"
ENDS = """
    SELECT count(*) FILTER (WHERE type = 'task.timed_out'), count(*) FILTER (WHERE type = 'task.started'),
           bool_and(actor = 'relay') FILTER (WHERE type = 'task.timed_out') FROM events
"""


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # they are other processes, and tell only the database


async def test_a_worker_and_the_leader_die_together_and_the_next_leader_rescues(
    database: str, ledger: Ledger, tmp_path: Path
) -> None:
    async def all_run() -> bool:
        return bool(await ledger.connection.fetchval(RUNNING) == TASKS)

    async def all_wait() -> bool:
        return await ledger.count("task.rescued") == TASKS

    with (
        relays(database, tmp_path / "relays.log", 2, **fleet.HASTE) as watchers,
        fleet.fleet(database, tmp_path / "workers.log", 1) as workers,
    ):
        pid, term = await leader(ledger.connection)
        await fleet.until_live(ledger.connection, 1)
        await ledger.connection.fetch(ENQUEUE, TASKS)
        await until(all_run)
        (victim,) = workers.processes
        victim.kill()
        watchers.kill(pid, replace=False)
        workers.processes.clear()
        victim.wait()
        await until(all_wait)
        assert (await leader(ledger.connection))[1] > term
        actors = await ledger.connection.fetch(
            "SELECT DISTINCT actor FROM events WHERE type = 'task.rescued'"
        )
        assert [row[0] for row in actors] == ["relay"]
        workers.start()
        await ledger.until_ended(TASKS, seconds=60)
        task_ids = [f"slow-{n}" for n in range(1, TASKS + 1)]
        await ledger.assert_each_ended_once(task_ids)
        await ledger.assert_each_effect_once(task_ids)
        assert set(await asyncio.to_thread(workers.stop)) == {0}
        assert await asyncio.to_thread(watchers.stop) == {0}
        assert watchers.surprises() == []
    await asyncio.to_thread(assert_audit_finds_nothing, database)


async def test_a_leader_that_sleeps_over_a_deadline_and_wakes_up_ends_nothing_twice(
    database: str, ledger: Ledger, tmp_path: Path, intensity: int
) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = ledger.connection
    await connection.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")

    async def all_ended() -> bool:
        row = await connection.fetchrow(ENDS)
        return row is not None and bool(row[0] == row[1])

    with relays(database, tmp_path / "relays.log", 2, **GRACE) as running:
        pid, term = await leader(connection)
        for _ in range(3 * intensity):
            await connection.fetch(SHORT)
            assert len(await connection.fetch(CLAIM)) == 40
            await asyncio.sleep(random.uniform(0.2, 1.2))  # the moment of the strike, by chance
            os.kill(pid, signal.SIGSTOP)
            paused, (pid, term) = pid, await leader(connection, term)
            os.kill(paused, signal.SIGCONT)
            await until(all_ended)
        assert await asyncio.to_thread(running.stop) == {0}
        assert running.surprises() == []
    ended, started, by_relay = await connection.fetchrow(ENDS) or (0, 1, False)
    assert ended == started == 120 * intensity and by_relay
    await asyncio.to_thread(assert_audit_finds_nothing, database)
