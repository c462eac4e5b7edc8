"""What happens to tasks when a worker stops, dies, is cut off, or reports too late."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service import Context
from service.store.status import StatusStore
from service.store.wire import Json
from service.worker.registry import Registry
from tests.chaos.proxy import Proxy
from tests.integration.worker_bench import running, with_shared_tasks

ROOT = Path(__file__).resolve().parents[2]

QUICK_LIVENESS: dict[str, Any] = {
    "worker__heartbeat_seconds": 0.1,
    "worker__self_fence_seconds": 0.5,
    "worker__lost_after_seconds": 1.0,
}


def endless(registry: Registry, name: str = "endless") -> None:
    @registry.task(name, max_attempts=1)
    async def wait(ctx: Context[Any]) -> str:
        await ctx.progress(1, "begun")
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return "done"


async def test_shutdown_lets_what_runs_finish(database: str) -> None:
    registry = Registry()
    go_on = asyncio.Event()

    @registry.task("brief")
    async def brief(ctx: Context[Any]) -> str:
        await ctx.progress(1)
        await go_on.wait()
        return "done"

    async with running(database, registry) as bench:
        task_id = await bench.enqueue("brief")
        await bench.until(task_id, "task.progressed")
        bench.shutdown.set()
        later = await bench.enqueue("brief")
        go_on.set()
        assert (await bench.outcome(task_id)).result == "done"
        assert await bench.life(later) == ["task.enqueued"]
    assert bench.code == 0


async def test_shutdown_releases_what_does_not_finish(database: str) -> None:
    registry = Registry()
    endless(registry)
    async with running(database, registry, worker__grace_seconds=0.1) as bench:
        task_id = await bench.enqueue("endless")
        await bench.until(task_id, "task.progressed")
    assert bench.code == 0
    async with running(database, registry) as bench:
        task = await bench.outcome(task_id)
        assert task.status == "completed" and task.attempt == 2 and task.failures == 0
        assert "task.released" in await bench.life(task_id)


@asynccontextmanager
async def worker_process(database: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`annals worker` with the handlers of worker_tasks, as a process of its own."""
    given = {
        "ANNALS_WORKER__IMPORTS": "tests.integration.worker_tasks",
        "ANNALS_WORKER__PROGRESS_MIN_SECONDS": "0",
        "ANNALS_LOG__LEVEL": "INFO",
        "DATABASE_URL": database,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "worker"),
        env={**os.environ, **given, **variables},
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_tasks_of_a_killed_worker_are_rescued_and_run_again(database: str, tmp_path: Path) -> None:
    async with running(database, Registry(), **QUICK_LIVENESS) as watcher, worker_process(database) as worker:
        rescued = watcher.worker.rescuer.rescued.watch()
        await watcher.until_published("wait_for_file")
        task_id = await watcher.enqueue("wait_for_file", path=str(tmp_path / "never"))
        await watcher.until(task_id, "task.progressed")
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        assert await asyncio.wait_for(rescued.get(), 20) == [task_id]
        async with worker_process(database):
            task = await watcher.outcome(task_id)
        assert task.status == "completed" and task.attempt == 2 and task.failures == 0
        assert await watcher.count("worker.lost") == 1


async def test_a_worker_process_ends_in_order_on_sigterm(database: str, tmp_path: Path) -> None:
    async with running(database, Registry()) as watcher, worker_process(database) as worker:
        await watcher.until_published("wait_for_file")
        task_id = await watcher.enqueue("wait_for_file", path=str(tmp_path / "file"))
        await watcher.until(task_id, "task.progressed")
        worker.terminate()
        (tmp_path / "file").touch()
        assert (await watcher.outcome(task_id)).result == "done"
        _, errors = await worker.communicate()
        assert worker.returncode == 0, errors.decode()
        assert f'"task_id": "{task_id}"' in errors.decode() and "Task completed" in errors.decode()


async def test_several_processes_share_the_work_and_a_dead_one_is_replaced(database: str) -> None:
    crew = {"ANNALS_WORKER__PROCESSES": "2"}
    async with running(database, Registry()) as watcher, worker_process(database, **crew) as parent:
        pids = await watcher.until_live(2)
        victim = pids.pop()
        os.kill(victim, signal.SIGKILL)
        await watcher.until_live(2, among_not={victim})
        parent.terminate()
        _, errors = await asyncio.wait_for(parent.communicate(), 20)
        assert parent.returncode == 0, errors.decode()
        assert await watcher.count("worker.stopped") == 2


async def test_a_late_report_is_refused_and_recorded(database: str) -> None:
    registry = Registry()
    go_on = asyncio.Event()

    @registry.task("slow")
    async def slow(ctx: Context[Any]) -> str:
        if ctx.attempt == 1:
            await ctx.progress(1)
            await go_on.wait()
            return "late"
        return "in time"

    # Its signs of life would tell it: in time, on a busy machine.
    unaware = {
        "worker__heartbeat_seconds": 600,
        "worker__self_fence_seconds": 700,
        "worker__lost_after_seconds": 800,
    }
    async with running(database, registry, **unaware) as bench:
        task_id = await bench.enqueue("slow")
        await bench.until(task_id, "task.progressed")
        lease = bench.worker.runner.held[task_id]
        # Somebody takes the task from this worker without its knowledge.
        await bench.tasks.end_attempts("other", [task_id], [lease], ["released"], [Json("{}")], ring=True)
        assert (await bench.outcome(task_id)).result == "in time"
        go_on.set()
        refused = await bench.until(task_id, "task.completion_refused")
        assert refused.data["lease"] == lease and refused.data["would_have_been"] == "completed"
        task = await bench.tasks.get(task_id)
        assert task and task.result == "in time"


async def test_one_end_that_cannot_be_recorded_does_not_hold_up_the_others(database: str) -> None:
    registry = Registry()
    together = asyncio.Event()

    @registry.task("record")
    async def record(ctx: Context[Any]) -> int:
        if ctx.params["n"] == 7:
            # A type that the projection of agents was not taught stops the append.
            ctx.record("agent.unheard_of", {}, stream=("agent", "5f3c0c5e-0000-4000-8000-000000000001"))
        await together.wait()
        return 1

    async with running(database, registry) as bench:
        ids = await bench.enqueue_many("record", 16)
        await bench.until_count("task.started", 16)
        together.set()
        outcomes = {task_id: await bench.outcome(task_id) for task_id in ids}
        poison = outcomes.pop(ids[7])
        assert {task.status for task in outcomes.values()} == {"completed"}
        failed = await bench.until(poison.task_id, "task.failed")
        assert failed.data["reason"] == "not_recordable" and "completed" in failed.data["error_message"]


async def test_ends_are_kept_through_cut_connections_and_written_once(database: str, tmp_path: Path) -> None:
    registry = Registry()
    go_on = asyncio.Event()

    @registry.task("hold")
    async def hold(ctx: Context[Any]) -> int:
        await go_on.wait()
        return 1

    async with Proxy(database, tmp_path).serve() as proxy, running(proxy.dsn, registry) as bench:
        ids = await bench.enqueue_many("hold", 20)
        await bench.until_count("task.started", 20)
        proxy.cut()
        go_on.set()
        await bench.worker.runner.idle()
        assert bench.worker.flusher.backlog == 20
        proxy.mend()
        for task_id in ids:
            assert (await bench.outcome(task_id)).status == "completed"
            assert (await bench.life(task_id)).count("task.completed") == 1


async def test_a_worker_that_cannot_prove_that_it_lives_stops_its_handlers(
    database: str, tmp_path: Path
) -> None:
    registry = Registry()
    stopped = asyncio.Event()

    @registry.task("hold")
    async def hold(ctx: Context[Any]) -> str:
        if ctx.attempt > 1:
            return "done"
        try:
            await ctx.progress(1)
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    async with (
        Proxy(database, tmp_path).serve() as proxy,
        running(proxy.dsn, registry, **QUICK_LIVENESS) as bench,
    ):
        fenced = bench.worker.liveness.fenced.watch()
        task_id = await bench.enqueue("hold")
        await bench.until(task_id, "task.progressed")
        proxy.cut()
        assert await asyncio.wait_for(fenced.get(), 10) is True
        await asyncio.wait_for(stopped.wait(), 30)
        proxy.mend()
        assert await asyncio.wait_for(fenced.get(), 20) is False
        assert (await bench.outcome(task_id)).result == "done"
        life = await bench.life(task_id)
        assert "task.released" in life and "task.rescued" not in life


async def test_a_worker_given_up_for_dead_goes_on_under_another_name(database: str) -> None:
    registry = Registry()
    endless(registry)
    async with running(database, registry, **QUICK_LIVENESS | {"worker__heartbeat_seconds": 0.3}) as bench:
        task_id = await bench.enqueue("endless")
        await bench.until(task_id, "task.progressed")
        before = bench.worker.identity.worker_id
        (row,) = [w for w in await bench.fleet.workers() if w.worker_id == before]
        await bench.tasks.rescue(before, row.seen_at, actor="test")
        task = await bench.outcome(task_id)
        assert task.status == "completed" and task.worker_id == bench.worker.identity.worker_id != before


async def test_tasks_of_a_claim_whose_answer_was_lost_are_released(database: str) -> None:
    registry = Registry()
    endless(registry)
    async with running(database, registry, worker__queues=["default", "side"], **QUICK_LIVENESS) as bench:
        bench.worker.gate.clear()
        task_id = await bench.enqueue("endless")
        # Its own claimer would have done just this, had the answer arrived.
        claim = await bench.tasks.claim(bench.worker.identity.worker_id, ["default"], ["endless"], 1)
        assert [task.task_id for task in claim.tasks] == [task_id]
        bench.worker.gate.set()
        assert (await bench.outcome(task_id)).status == "completed"
        assert await bench.life(task_id) == [
            *("task.enqueued", "task.started", "task.released", "task.started"),
            *("task.progressed", "task.completed"),
        ]


async def test_a_handler_that_blocks_the_loop_is_named(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry()

    @registry.task("rude")
    async def rude(ctx: Context[Any]) -> None:
        while "The event loop is blocked" not in caplog.text:
            time.sleep(0.8)  # noqa: ASYNC251  blocking is what is tested

    async with running(database, registry) as bench:
        barked = bench.worker.watchdog.barked.watch()
        task_id = await bench.enqueue("rude")
        assert await asyncio.wait_for(barked.get(), 10) == task_id
    (record,) = [r for r in caplog.records if r.message == "The event loop is blocked"]
    assert "time.sleep(0.8)" in vars(record)["fields"]["stack"]


async def test_a_thread_that_does_not_end_does_not_hold_up_the_shutdown(database: str) -> None:
    async with running(database, with_shared_tasks(), worker__grace_seconds=0.1) as bench:
        task_id = await bench.enqueue("sleep_in_thread", seconds=30)
        await bench.until(task_id, "task.progressed")
        assert bench.worker.slots.busy == 1
        bench.shutdown.set()
        # It has the time to clean up, then it is left to itself.
        assert (await bench.until(task_id, "task.released")).data["attempt"] == 1
    assert bench.code == 0


async def test_a_sign_of_life_tells_slots_lag_and_the_longest_attempt(database: str) -> None:
    registry = Registry()
    endless(registry)
    async with running(database, registry, worker__grace_seconds=0.1, **QUICK_LIVENESS) as bench:
        await bench.until(await bench.enqueue("endless"), "task.progressed")
        renewed = bench.worker.liveness.renewed.watch()
        for _ in range(2):
            assert await asyncio.wait_for(renewed.get(), 10)
        (worker,) = (await StatusStore(bench.equipment.machinery).reading()).workers
    assert worker.busy_slots == 1 and worker.slots == 20 and not worker.silent
    assert worker.loop_lag_seconds >= 0 and 0 < (worker.working_seconds or 0) < 60
