"""Looking for what runs from a mark on: nothing is missed, and what ended long ago is not read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from service.fleet.low_water import LowWater
from service.settings import load
from service.store.pool import Database, Session
from service.store.queries import load as queries

OVERDUE, SUSPECTS = queries("service.relay").overdue, queries("service.fleet").suspects
READ = "SELECT pg_stat_get_xact_tuples_returned('background_tasks_status'::regclass)"
Connection = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator[Session]:
    async with await Database.open(load().database, dsn) as db, db.session() as session:
        yield session


async def claim(db: Any, number: int, timeout_seconds: float = 300) -> tuple[list[str], list[int]]:
    task = {"task_type": "noop", "timeout_seconds": timeout_seconds}
    await db.fetch("SELECT enqueue_tasks($1::text::jsonb, ring => false)", json.dumps([task] * number))
    rows = await db.fetch("SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', $1)", number)
    return [row[0] for row in rows], [row[1] for row in rows]


async def end(db: Any, ids: list[str], leases: list[int]) -> None:
    outcomes, details = ["completed"] * len(ids), ["{}"] * len(ids)
    await db.fetch(
        "SELECT end_attempts('w-1', $1, $2, $3, $4::text[]::jsonb[])", ids, leases, outcomes, details
    )


async def overdue(watcher: Session, low_water: LowWater) -> list[str]:
    rows = await watcher.fetch(OVERDUE, low_water.begin())
    low_water.seen(rows[0]["lowest"], rows[0]["settled"])
    return sorted(row["task_id"] for row in rows if row["task_id"])


@pytest.fixture
async def worker(database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database)
    await connection.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    yield connection
    await connection.close()


async def test_a_claim_that_commits_late_is_found_below_later_ones(database: str, worker: Any) -> None:
    late, low_water = await asyncpg.connect(database), LowWater()
    async with session(database) as watcher:
        transaction = late.transaction()
        await transaction.start()
        (slow,), _ = await claim(late, 1, timeout_seconds=0.001)
        (quick,), _ = await claim(worker, 1, timeout_seconds=0.001)
        # The mark follows from what the look before was told, so there are two.
        assert await overdue(watcher, low_water) == await overdue(watcher, low_water) == [quick]
        await transaction.commit()
        assert await overdue(watcher, low_water) == sorted([slow, quick])
    await late.close()


async def test_what_ended_is_not_read_again_while_the_horizon_is_pinned(database: str, worker: Any) -> None:
    low_water = LowWater()
    async with (
        session(database) as watcher,
        session(database) as pinning,
        pinning.connection.transaction(isolation="repeatable_read"),
    ):
        await pinning.fetch("SELECT count(*) FROM events")
        (runs,), _ = await claim(worker, 1, timeout_seconds=0.001)
        for expected in ([runs], [runs], []):
            ended = await claim(worker, 500)
            await end(worker, *ended)
            if not expected:
                rows = await worker.fetch("SELECT lease FROM background_tasks WHERE task_id = $1", runs)
                await end(worker, [runs], [rows[0]["lease"]])
            assert await overdue(watcher, low_water) == expected
        assert await overdue(watcher, low_water) == []
        async with watcher.connection.transaction():
            before = await watcher.fetchval(READ)
            assert await overdue(watcher, low_water) == []
            assert await watcher.fetchval(READ) - before == 0
            await watcher.fetch(OVERDUE, 0)
            assert await watcher.fetchval(READ) - before > 1500


async def test_workers_nobody_knows_are_found_from_the_mark_on(database: str, worker: Any) -> None:
    (held,), _ = await claim(worker, 1)
    async with session(database) as watcher:
        (row,) = await watcher.fetch(SUSPECTS, None, 0)
        assert (row["worker_id"], row["seen_at"]) == ("w-1", None)
        (same,) = await watcher.fetch(SUSPECTS, None, row["lowest"])
        assert same == row and row["settled"] == row["lowest"]
        (nobody,) = await watcher.fetch(SUSPECTS, None, row["lowest"] + 1)
        assert (nobody["lowest"], nobody["worker_id"]) == (None, None)
    assert held


async def test_who_lost_the_connection_looks_at_everything_anew(database: str, worker: Any) -> None:
    low_water = LowWater()
    async with session(database) as watcher:
        await end(worker, *await claim(worker, 1))
        for _ in range(2):
            await overdue(watcher, low_water)
        assert low_water.begin() > 1
        low_water.forget()
        assert low_water.begin() == 0
        await overdue(watcher, low_water)
        assert low_water.begin() <= 1
