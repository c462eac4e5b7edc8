"""Delayed and retried work starts when it is due: no poll, no relay, and no claims in vain."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from service import Context
from service.model.task import Claim
from service.store.tasks import TaskStore
from service.worker.registry import Registry
from tests.integration.test_worker_claims import queue
from tests.integration.worker_bench import Bench, running

# Only its time can wake a task's worker.
NO_POLL = {"worker__poll_interval_seconds": 3600.0}


def quick(registry: Registry) -> Registry:
    @registry.task("quick", max_attempts=2, backoff={"kind": "fixed", "seconds": 0.2})
    async def run(ctx: Context[Any]) -> int:
        if ctx.params.get("fails") and ctx.attempt == 1:
            raise ValueError("not yet")
        return ctx.attempt

    return registry


def soon(seconds: float) -> dict[str, str]:
    return {"run_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


async def test_a_delayed_task_starts_when_it_is_due(database: str) -> None:
    async with running(database, quick(Registry()), **NO_POLL) as bench:
        later = await bench.enqueue("quick", options=soon(0.6))
        sooner = await bench.enqueue("quick", options=soon(0.3))
        for task_id in (sooner, later):
            task = await bench.outcome(task_id)
            assert task.run_at and task.started_at and task.started_at >= task.run_at


async def test_a_retry_starts_when_it_is_due(database: str) -> None:
    async with running(database, quick(Registry()), **NO_POLL) as bench:
        task_id = await bench.enqueue("quick", fails=True)
        assert (await bench.outcome(task_id)).result == 2


async def claims_until_quiet(bench: Bench, claims: "asyncio.Queue[Claim]") -> int:
    """How many claims there are before half a second passes without one."""
    number = 0
    while True:
        try:
            await asyncio.wait_for(claims.get(), 0.5)
        except TimeoutError:
            return number
        number += 1


async def test_a_due_task_that_cannot_be_claimed_is_no_reason_to_ask_again_and_again(database: str) -> None:
    registry = quick(Registry())
    async with running(database, registry, **NO_POLL) as bench:
        holder = await asyncpg.connect(database)
        # Paused: on a busy machine it would be due, and taken, before it is held.
        await holder.fetch("SELECT pause_queue('default')")
        await bench.tasks.enqueue([{"task_type": "quick", "task_id": "held", **soon(0.3)}], actor="test")
        async with holder.transaction():
            await holder.fetch("SELECT FROM background_tasks WHERE task_id = 'held' FOR UPDATE")
            await bench.equipment.machinery.fetchval("SELECT resume_queue('default', ring => false)")
            claims = bench.worker.claimers[0].claimed.watch()
            bench.equipment.doorbell.ring("annals_tasks", "default")
            assert await claims_until_quiet(bench, claims) <= 5, "a ring, its time, and little more"
            assert "task.started" not in await bench.life("held")
        await holder.close()
        bench.equipment.doorbell.ring("annals_tasks", "default!")
        assert (await bench.outcome("held")).status == "completed"


async def due_in(tasks: TaskStore, *task_types: str, slots: int = 5) -> float | None:
    return (await tasks.claim("w", ["default"], list(task_types), slots)).due_in


async def test_a_claim_tells_when_the_next_task_is_due(database: str) -> None:
    async with queue(database) as (db, tasks):
        await db.fetchval("SELECT publish_task_types($1)", [{"task_type": "other", "code_version": "1"}])
        assert await due_in(tasks, "noop") is None
        await tasks.enqueue([{"task_type": "noop", **soon(1000)}], actor="test")
        assert await due_in(tasks, "noop") == pytest.approx(1000, abs=30)
        assert await due_in(tasks, "noop", "other") == pytest.approx(1000, abs=30)
        await tasks.enqueue([{"task_type": "other", **soon(n)} for n in range(100, 190)], actor="test")
        assert await due_in(tasks, "noop") == pytest.approx(1000, abs=30)
        assert await due_in(tasks, "other") == pytest.approx(100, abs=30)
        await db.fetchval("SELECT pause_queue('default')")
        assert await due_in(tasks, "noop", "other") is None, "resuming rings"


async def test_what_is_due_already_and_a_claim_that_is_filled_tell_of_no_time(database: str) -> None:
    async with queue(database) as (_, tasks):
        await tasks.enqueue([{"task_type": "noop", **soon(-1)}] * 3, actor="test")
        await tasks.enqueue([{"task_type": "noop", **soon(1000)}], actor="test")
        claim = await tasks.claim("w", ["default"], ["noop"], 3)
        assert len(claim.tasks) == 3 and claim.due_in is None
        claim = await tasks.claim("w", ["default"], ["noop"], 3)
        assert claim.tasks == [] and claim.due_in == pytest.approx(1000, abs=30)


async def test_where_many_of_other_types_wait_the_hundredth_is_as_far_as_one_looks(database: str) -> None:
    async with queue(database) as (db, tasks):
        await db.fetchval("SELECT publish_task_types($1)", [{"task_type": "other", "code_version": "1"}])
        foreign = [{"task_type": "other", **soon(1000 + 10 * n)} for n in range(150)]
        await tasks.enqueue([*foreign, {"task_type": "noop", **soon(9000)}], actor="test")
        assert await due_in(tasks, "noop") == pytest.approx(1990, abs=30)
