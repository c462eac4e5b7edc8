"""What the relay that leads does for tasks whose worker died, hangs, sleeps, or was never one."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from service import Context
from service.errors import LeaseLost
from service.model.events import Event
from service.relay.overdue import Overdue
from service.relay.relay import Relay
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.fleet import FleetStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.store.wakeups import Wakeups
from service.worker.registry import Registry
from tests.chaos.proxy import Proxy
from tests.integration.test_worker_life import QUICK_LIVENESS, worker_process
from tests.integration.worker_bench import running, with_shared_tasks

PATIENT = {
    "relay.lease_seconds": 1,
    "relay.renew_seconds": 0.2,
    "relay.poll_interval_seconds": 0.1,
    "relay.deadline_grace_seconds": 0.3,
}
# Workers that are silent for a second are given up.
QUICK = PATIENT | {name.replace("__", "."): value for name, value in QUICK_LIVENESS.items()}
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOOP = [{"task_type": "noop", "code_version": "1"}]


class Scene:
    """A database with a relay that leads, and no worker."""

    def __init__(self, db: Database, relay: Relay) -> None:
        self.db, self.relay = db, relay
        self.tasks, self.fleet, self.log = TaskStore(db), FleetStore(db), LogReader(db)

    async def enqueue(self, task_type: str, **params: Any) -> str:
        draft = {"task_type": task_type, "params": params}
        return (await self.tasks.enqueue([draft], actor="test", ring=True))[0].task_id

    async def until(self, task_id: str, *types: str, count: int = 1) -> Event:
        """The count-th event of these types, once the task has it."""
        async with asyncio.timeout(30):
            while True:
                found = [e for e in await self.log.stream("task", task_id) if e.type in types]
                if len(found) >= count:
                    return found[count - 1]
                await asyncio.sleep(0.05)  # another process writes it, and rings nobody here


@asynccontextmanager
async def relay(dsn: str, settings: dict[str, Any]) -> AsyncIterator[Scene]:
    loaded = load({"environment": "test"} | settings)
    async with (
        await Database.open(loaded.database, dsn) as db,
        Doorbell(db, loaded.wakeup) as bell,
        Wakeups(dsn, loaded.wakeup) as wakeups,
    ):
        await FleetStore(db).publish_task_types(with_shared_tasks().catalogue({}) + NOOP)
        one, shutdown = Relay(loaded, db, wakeups, bell, "r-1", ()), asyncio.Event()
        run = asyncio.create_task(one.run(shutdown))
        await one.lease.won()
        try:
            yield Scene(db, one)
        finally:
            shutdown.set()
            assert await run == 0


async def test_a_blocked_loop_keeps_no_task_past_its_deadline(database: str) -> None:
    async with relay(database, PATIENT) as scene, worker_process(database) as sleeper:
        task_id = await scene.enqueue("block_the_loop", seconds=4)
        await scene.until(task_id, "task.started")
        ended = await scene.until(task_id, "task.retry_scheduled")
        assert ended.actor == "relay"
        assert ended.data["error_message"] == "Task timeout exceeded (1 second)"
        async with running(database, with_shared_tasks()) as other:
            task = await other.outcome(task_id)
            assert (task.status, task.result) == ("completed", "attempt 2")
            assert (task.attempt, task.failures) == (2, 1)
        refused = await scene.until(task_id, "task.completion_refused")
        assert refused.data["lease"] == 2 and refused.data["would_have_been"] in ("completed", "timed_out")
        assert sleeper.returncode is None
        task = await scene.tasks.get(task_id)
        assert task and task.result == "attempt 2"


async def test_a_worker_that_was_stopped_finds_its_task_gone_and_works_on(database: str) -> None:
    async with relay(database, PATIENT) as scene, worker_process(database) as sleeper:
        task_id = await scene.enqueue("outlast")
        await scene.until(task_id, "task.progressed")
        sleeper.send_signal(signal.SIGSTOP)
        await scene.until(task_id, "task.retry_scheduled")
        async with running(database, with_shared_tasks()) as other:
            assert (await other.outcome(task_id)).result == "attempt 2"
        sleeper.send_signal(signal.SIGCONT)
        refused = await scene.until(task_id, "task.completion_refused")
        assert refused.data["would_have_been"] in ("timed_out", "released")
        again = await scene.enqueue("block_the_loop", seconds=0)
        await scene.until(again, "task.completed")
        assert [worker.status for worker in await scene.fleet.workers() if worker.running] == []


async def test_the_last_failure_ends_as_a_timeout_and_a_cancelled_one_as_cancelled(database: str) -> None:
    async with relay(database, PATIENT) as scene:
        drafts = [
            {"task_type": "noop", "task_id": name, "max_attempts": 1, "timeout_seconds": 0.2}
            for name in ("late", "unwanted", "patient")
        ]
        drafts[2]["timeout_seconds"] = 300
        await scene.tasks.enqueue(drafts, actor="test")
        await scene.tasks.claim("by-hand", ["default"], ["noop"], 3)
        await scene.tasks.cancel(["unwanted"], actor="test")
        await scene.until("late", "task.timed_out")
        await scene.until("unwanted", "task.cancelled")
        late, patient = await scene.tasks.get("late"), await scene.tasks.get("patient")
        assert late and late.status == "timeout" and late.error == "Task timeout exceeded (0.2 seconds)"
        assert patient and patient.status == "running"


async def test_without_any_worker_the_relay_returns_a_dead_ones_tasks(database: str, tmp_path: Path) -> None:
    async with relay(database, QUICK) as scene:
        async with worker_process(database) as worker:
            task_id = await scene.enqueue("wait_for_file", path=str(tmp_path / "never"))
            await scene.until(task_id, "task.progressed")
            worker.kill()
            rescued = await scene.until(task_id, "task.rescued")
        assert rescued.actor == "relay"
        assert [worker.status for worker in await scene.fleet.workers()] == ["lost"]
        async with worker_process(database):
            await scene.until(task_id, "task.completed")
        task = await scene.tasks.get(task_id)
        assert task and (task.attempt, task.failures) == (2, 0)


@pytest.mark.parametrize("name", ["nobody", "stopped", "lost"])
async def test_tasks_under_a_name_that_no_live_worker_has_are_rescued(database: str, name: str) -> None:
    async with relay(database, QUICK) as scene:
        if name != "nobody":
            await scene.fleet.start_worker(
                name, host="h", pid=1, queues=["default"], task_types=["noop"], concurrency=1
            )
        if name == "stopped":
            await scene.fleet.stop_worker(name)
        elif name == "lost":
            (row,) = await scene.fleet.workers()
            await scene.tasks.rescue(name, row.seen_at, actor="test")
        task_id = await scene.enqueue("noop")
        await scene.tasks.claim(name, ["default"], ["noop"], 1)
        rescued = await scene.until(task_id, "task.rescued")
        assert rescued.data["worker_id"] == name
        task = await scene.tasks.get(task_id)
        assert task and task.status == "pending" and task.failures == 0


async def test_who_registers_late_or_gives_a_sign_keeps_its_tasks(db: Connection) -> None:
    """What was watched must still be so when the tasks are taken."""
    await db.fetch("SELECT publish_task_types($1)", NOOP)
    task_id = await db.fetchval("SELECT enqueue_task('noop')")
    await db.fetch("SELECT count(*) FROM claim_tasks('late', '{default}', '{noop}', 1)")
    seen = await db.fetchval("SELECT changed_position FROM background_tasks WHERE task_id = $1", task_id)
    await db.fetch("SELECT progress_tasks('late', ARRAY[$1], '{2}', '{50}', '{half}', '{null}')", task_id)
    assert await db.fetch("SELECT * FROM rescue_tasks('late', NULL, last_change => $1)", seen) == []
    await db.fetch("SELECT start_worker('late', 'h', 1, '{default}', '{noop}', 1)")
    assert await db.fetch("SELECT * FROM rescue_tasks('late', NULL)") == []
    assert await db.fetchval("SELECT status FROM background_tasks WHERE task_id = $1", task_id) == "running"


async def test_a_relay_whose_lease_ran_out_ends_nothing(database: str) -> None:
    async with relay(database, PATIENT | {"relay.deadline_grace_seconds": 60}) as scene:
        term = scene.relay.lease.term or 0
        draft = {"task_type": "noop", "timeout_seconds": 0.001}
        await scene.tasks.enqueue([draft], actor="test")
        (task,) = (await scene.tasks.claim("w", ["default"], ["noop"], 1)).tasks
        held = [task.task_id], [task.lease]
        for relay_id, old in (("r-1", term - 1), ("r-1", term + 1), ("r-2", term)):
            with pytest.raises(LeaseLost):
                await scene.tasks.expire(*held, relay_id=relay_id, term=old)
        assert await scene.tasks.expire(*held, relay_id="r-1", term=term) == [
            (task.task_id, "retry_scheduled")
        ]
        assert await scene.tasks.expire(*held, relay_id="r-1", term=term) == [(task.task_id, "left_alone")]


async def test_only_what_was_watched_being_overdue_is_ended(database: str) -> None:
    """After an outage everything is overdue, and workers are about to report what they finished meanwhile."""
    async with relay(database, PATIENT | {"relay.deadline_grace_seconds": 60}) as scene:
        hasty = load({"environment": "test"} | PATIENT | {"relay.deadline_grace_seconds": 0.1}).relay
        overdue = Overdue(hasty, "r-1", scene.relay.lease.term or 0)
        await scene.tasks.enqueue([{"task_type": "noop", "timeout_seconds": 0.01}], actor="test")
        (task,) = (await scene.tasks.claim("w", ["default"], ["noop"], 1)).tasks
        async with scene.db.session() as session:
            await overdue.look(session)
            await asyncio.sleep(0.2)  # longer than the grace
            overdue.interrupted()
            await overdue.look(session)
            found = await scene.tasks.get(task.task_id)
            assert found and found.status == "running"
            await asyncio.sleep(0.2)  # as above, without an interruption
            await overdue.look(session)
        assert (await scene.until(task.task_id, "task.retry_scheduled")).data["attempt"] == 1


async def test_what_was_finished_in_time_during_an_outage_stays_finished(
    database: str, tmp_path: Path
) -> None:
    registry, go_on = Registry(), asyncio.Event()

    @registry.task("brief", max_attempts=1, timeout_seconds=3)
    async def brief(ctx: Context[Any]) -> str:
        await ctx.progress(1)
        await go_on.wait()
        return "in time"

    async with (
        Proxy(database, tmp_path).serve() as proxy,
        relay(proxy.dsn, PATIENT | {"relay.deadline_grace_seconds": 5}) as scene,
        running(proxy.dsn, registry) as bench,
    ):
        task_id = await bench.enqueue("brief")
        await bench.until(task_id, "task.progressed")
        term = scene.relay.lease.term
        proxy.cut()
        go_on.set()
        await bench.worker.runner.idle()
        await scene.relay.lease.ended(term or 0)
        await asyncio.sleep(3)  # until the deadline has passed
        proxy.mend()
        assert (await bench.outcome(task_id)).result == "in time"
        assert await scene.relay.lease.won() > (term or 0)
        assert "task.completion_refused" not in await bench.life(task_id)


async def test_what_somebody_is_writing_is_left_to_the_next_look(database: str) -> None:
    """Its worker may be about to end it; and the relay must not wait with locks in its hands."""
    async with relay(database, PATIENT) as scene:
        await scene.tasks.enqueue(
            [{"task_type": "noop", "timeout_seconds": 0.1, "task_id": name} for name in ("held", "other")],
            actor="test",
        )
        await scene.tasks.claim("w", ["default"], ["noop"], 2)
        async with scene.db.transaction() as writer:
            await writer.fetch("SELECT FROM background_tasks WHERE task_id = 'held' FOR UPDATE")
            await scene.until("other", "task.retry_scheduled")
            held = await scene.tasks.get("held")
            assert held and held.status == "running"
        await scene.until("held", "task.retry_scheduled")


async def test_a_handler_whose_task_was_taken_is_told_to_stop(database: str) -> None:
    registry, stopped = Registry(), asyncio.Event()

    @registry.task("hold", max_attempts=1)
    async def hold(ctx: Context[Any]) -> None:
        try:
            await ctx.progress(1)
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with running(database, registry, **QUICK_LIVENESS) as bench:
        task_id = await bench.enqueue("hold")
        await bench.until(task_id, "task.progressed")
        lease = bench.worker.runner.held[task_id]
        failure = {"error_message": "taken", "retry": False}
        await bench.tasks.end_attempts("other", [task_id], [lease], ["failed"], [failure])
        await asyncio.wait_for(stopped.wait(), 10)
        await bench.until(task_id, "task.completion_refused")
        task = await bench.tasks.get(task_id)
        assert task and task.status == "failed" and task.error == "taken"
