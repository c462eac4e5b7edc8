"""Handlers on a real worker and a real database: each way to run, each way to end."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from service import Context, Fail, Retry, Snooze, SyncContext
from service.worker.registry import Registry
from tests.integration.worker_bench import running, with_shared_tasks


class Greeting(BaseModel):
    name: str
    loud: bool = False


async def test_a_coroutine_gets_its_task_and_its_result_is_kept(database: str) -> None:
    registry = Registry()

    @registry.task("greet", timeout_seconds=10)
    async def greet(ctx: Context[Greeting]) -> dict[str, Any]:
        return {"hello": ctx.params.name, "attempt": ctx.attempt, "key": ctx.idempotency_key}

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("greet", name="Ada"))
        assert task.status == "completed" and task.attempt == 1
        assert task.result["hello"] == "Ada" and task.result["key"].endswith(task.task_id)
        assert await bench.life(task.task_id) == ["task.enqueued", "task.started", "task.completed"]
        (row,) = [t for t in await bench.fleet.task_types() if t.task_type == "greet"]
        assert row.params_schema and row.params_schema["required"] == ["name"] and row.timeout_seconds == 10
    assert bench.code == 0
    assert [w.status for w in await bench.workers_afterwards(database)] == ["stopped"]


async def test_parameters_that_do_not_fit_fail_the_task_for_good(database: str) -> None:
    registry = Registry()

    @registry.task("greet", max_attempts=5)
    async def greet(ctx: Context[Greeting]) -> None:
        raise AssertionError("must not run")

    async with running(database, registry) as bench:
        failed = await bench.until(await bench.enqueue("greet", loud="maybe"), "task.failed")
        assert failed.data["reason"] == "invalid_params"
        assert "name: Field required" in failed.data["error_message"]


async def test_a_plain_function_runs_in_a_thread(database: str) -> None:
    registry = Registry()

    @registry.task("work")
    def work(ctx: SyncContext[dict[str, Any]]) -> dict[str, Any]:
        ctx.progress(40, "first part")
        ctx.record("work.noted", {"n": 1}, stream=("note", ctx.task_id))
        child = ctx.enqueue("rest", {"of": ctx.task_id})
        return {"thread": threading.current_thread() is not threading.main_thread(), "child": child}

    @registry.task("rest")
    def rest(ctx: SyncContext[Any]) -> str | None:
        return ctx.params["of"]

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("work"))
        assert task.result["thread"] is True
        child = await bench.outcome(task.result["child"])
        assert child.result == task.task_id
        assert [e.type for e in await bench.log.stream("note", task.task_id)] == ["work.noted"]
        assert "task.progressed" in await bench.life(task.task_id)


async def test_a_process_computes_and_talks_back(database: str) -> None:
    async with running(database, with_shared_tasks()) as bench:
        task_id = await bench.enqueue("count_words", text="to be or not")
        task = await bench.outcome(task_id)
        assert task.status == "completed" and task.result["words"] == 4, task.error
        assert (await bench.outcome(task.result["child"])).result == 0
        assert [e.data for e in await bench.log.stream("text", "t-1")] == [{"words": 3}]
        told = [e.data for e in await bench.log.stream("task", task_id) if e.type == "task.progressed"]
        assert {data["step"] for data in told} == {"half of them"}
        again = await bench.outcome(await bench.enqueue("count_words", text="to be"))
        assert again.result["pid"] == task.result["pid"], "the process is used again"


async def test_a_process_that_dies_fails_its_attempt_and_is_replaced(database: str) -> None:
    async with running(database, with_shared_tasks()) as bench:
        failed = await bench.outcome(await bench.enqueue("die"))
        assert failed.status == "failed" and "SIGKILL" in (failed.error or "")
        assert (await bench.outcome(await bench.enqueue("count_nothing"))).status == "completed"
        refused = await bench.until(await bench.enqueue("refuse"), "task.failed")
        assert refused.data["reason"] == "no_text" and refused.data["attempt"] == 1


async def test_a_process_past_its_deadline_is_killed(database: str) -> None:
    async with running(database, with_shared_tasks()) as bench:
        task_id = await bench.enqueue("spin", options={"timeout_seconds": 0.5})
        task = await bench.outcome(task_id)
        assert task.status == "timeout" and "Task timeout exceeded" in (task.error or "")


async def test_a_process_hears_of_its_cancellation(database: str) -> None:
    async with running(database, with_shared_tasks()) as bench:
        task_id = await bench.enqueue("spin_politely")
        await bench.until(task_id, "task.progressed")
        await bench.tasks.cancel([task_id], "enough", actor="test")
        assert (await bench.outcome(task_id)).status == "cancelled"
        assert (await bench.outcome(await bench.enqueue("count_nothing"))).status == "completed"


async def test_an_error_is_retried_by_the_backoff_then_fails(database: str) -> None:
    registry = Registry()

    @registry.task("flaky", max_attempts=3, backoff=[0, 0])
    async def flaky(ctx: Context[Any]) -> None:
        raise RuntimeError(f"attempt {ctx.attempt} after {ctx.failures} failures")

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("flaky"))
        assert task.status == "failed" and task.attempt == 3
        life = await bench.log.stream("task", task.task_id)
        errors = [e.data["error_message"] for e in life if "error_message" in e.data]
        assert errors == [f"attempt {n + 1} after {n} failures" for n in range(3)]
        assert "test_worker_handlers.py" in life[-1].data["error_traceback"]


async def test_a_handler_says_when_to_try_again_or_never(database: str) -> None:
    registry = Registry()

    @registry.task("picky", max_attempts=9, backoff=600)
    async def picky(ctx: Context[Any]) -> None:
        if ctx.attempt == 1:
            raise Retry("busy", after=0)
        raise Fail("gone", reason="gone")

    async with running(database, registry) as bench:
        failed = await bench.until(await bench.enqueue("picky"), "task.failed")
        assert failed.data["attempt"] == 2 and failed.data["reason"] == "gone"


async def test_a_snooze_is_no_failure(database: str) -> None:
    registry = Registry()

    @registry.task("later", max_attempts=1)
    async def later(ctx: Context[Any]) -> dict[str, int]:
        if ctx.attempt == 1:
            raise Snooze(seconds=0.1)
        if ctx.attempt == 2:
            raise Snooze(until=datetime.now(UTC) + timedelta(seconds=0.1))
        return {"failures": ctx.failures}

    async with running(database, registry, worker__poll_interval_seconds=0.1) as bench:
        task = await bench.outcome(await bench.enqueue("later"))
        assert task.status == "completed" and task.result == {"failures": 0} and task.attempt == 3


@pytest.mark.parametrize("kind", ["swallows", "obeys"])
async def test_a_coroutine_past_its_deadline_is_timed_out(database: str, kind: str) -> None:
    registry = Registry()

    @registry.task("slow", max_attempts=1, timeout_seconds=0.2)
    async def slow(ctx: Context[Any]) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if kind == "obeys":
                raise
        return "too late"

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("slow"))
        assert task.status == "timeout" and task.result is None
        assert task.error == "Task timeout exceeded (0.2 seconds)"


async def test_a_thread_past_its_deadline_is_reported_and_keeps_its_place(database: str) -> None:
    registry = Registry()
    wake = threading.Event()

    @registry.task("deaf", max_attempts=1, timeout_seconds=0.2)
    def deaf(ctx: SyncContext[Any]) -> str:
        wake.wait(20)
        return "too late"

    async with running(database, registry, worker__threads=1) as bench:
        first = await bench.enqueue("deaf")
        assert (await bench.outcome(first)).status == "timeout"
        assert bench.worker.slots.busy == 1 and bench.worker.slots.free("thread") == 0
        second = await bench.enqueue("deaf")
        wake.set()
        assert (await bench.outcome(second)).status == "completed"
        assert (await bench.life(first)).count("task.timed_out") == 1


async def test_a_cancellation_reaches_a_coroutine_at_once(database: str) -> None:
    registry = Registry()

    @registry.task("long")
    async def long(ctx: Context[Any]) -> None:
        ctx.record("fact.kept", {}, stream=("fact", "1"), keep_if_cancelled=True)
        ctx.record("fact.lost", {}, stream=("fact", "1"))
        await ctx.progress(10, "begun")
        await asyncio.Event().wait()

    async with running(database, registry, worker__cancel_poll_seconds=60) as bench:
        task_id = await bench.enqueue("long")
        await bench.until(task_id, "task.progressed")
        await bench.tasks.cancel([task_id], "not needed", actor="test")
        task = await bench.outcome(task_id)
        assert task.status == "cancelled"
        assert [e.type for e in await bench.log.stream("fact", "1")] == ["fact.kept"]


async def test_a_cancellation_whose_ring_is_lost_is_found_by_the_poll(database: str) -> None:
    registry = Registry()

    @registry.task("long")
    def long(ctx: SyncContext[Any]) -> None:
        ctx.progress(10, "begun")
        while True:
            ctx.check_cancelled()

    async with running(database, registry, worker__cancel_poll_seconds=0.1) as bench:
        task_id = await bench.enqueue("long")
        await bench.until(task_id, "task.progressed")
        await bench.tasks.cancel([task_id], actor="test", ring=False)
        assert (await bench.outcome(task_id)).status == "cancelled"


async def test_a_checkpoint_survives_a_failed_attempt(database: str) -> None:
    registry = Registry()

    @registry.task("stepwise", max_attempts=2, backoff="none")
    async def stepwise(ctx: Context[Any]) -> Any:
        if ctx.attempt == 2:
            return ctx.checkpoint
        for n in range(100):
            await ctx.save_checkpoint({"done": n})
        raise RuntimeError("in the middle")

    async with running(database, registry, worker__progress_min_seconds=1) as bench:
        task = await bench.outcome(await bench.enqueue("stepwise"))
        assert task.result == {"done": 99}
        assert (await bench.life(task.task_id)).count("task.progressed") <= 2


async def test_a_retried_handler_does_not_enqueue_twice(database: str) -> None:
    registry = Registry()

    @registry.task("parent", max_attempts=2, backoff="none")
    async def parent(ctx: Context[Any]) -> list[str]:
        children = [await ctx.enqueue("child", {"n": n}) for n in (1, 2, 2)]
        if ctx.attempt == 1:
            raise RuntimeError("after enqueueing")
        return children

    @registry.task("child")
    async def child(ctx: Context[Any]) -> None:
        return None

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("parent"))
        assert len(set(task.result)) == 3
        for child_id in task.result:
            await bench.outcome(child_id)
        assert await bench.count("task.enqueued") == 4


async def test_a_handler_may_not_send_webhooks_inwards(database: str) -> None:
    registry = Registry()

    @registry.task("ask", max_attempts=1)
    async def ask(ctx: Context[Any]) -> None:
        await ctx.enqueue("ask", {}, webhook_url="https://169.254.169.254/latest")

    async with running(database, registry) as bench:
        failed = await bench.until(await bench.enqueue("ask"), "task.failed")
        assert "Bad webhook_url" in failed.data["error_message"]
        assert await bench.count("task.enqueued") == 1


async def test_a_result_that_cannot_be_kept_fails_the_task_for_good(database: str) -> None:
    registry = Registry()
    results: dict[str, Any] = {"big": "x" * 300_000, "set": {1}, "nan": float("nan"), "nul": "a\0b"}

    @registry.task("give", max_attempts=5)
    async def give(ctx: Context[Any]) -> Any:
        return results[ctx.params["what"]]

    async with running(database, registry) as bench:
        reasons = {}
        for what in results:
            failed = await bench.until(await bench.enqueue("give", what=what), "task.failed")
            reasons[what] = failed.data["reason"]
        assert reasons == {
            "big": "too_big",
            "set": "not_storable",
            "nan": "not_storable",
            "nul": "not_storable",
        }


async def test_a_handler_that_exits_fails_and_the_worker_lives_on(database: str) -> None:
    registry = Registry()

    @registry.task("leave", max_attempts=1)
    async def leave(ctx: Context[Any]) -> None:
        raise SystemExit(3)

    @registry.task("stay")
    async def stay(ctx: Context[Any]) -> int:
        return 1

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("leave"))
        assert task.status == "failed" and "SystemExit" in (task.error or "")
        assert (await bench.outcome(await bench.enqueue("stay"))).result == 1


async def test_progress_of_a_busy_handler_is_thinned_out(database: str) -> None:
    registry = Registry()

    @registry.task("chatty")
    async def chatty(ctx: Context[Any]) -> None:
        for n in range(1000):
            await ctx.progress(n / 10, "talking")

    async with running(
        database, registry, worker__progress_min_seconds=30, worker__progress_max_seconds=30
    ) as b:
        task = await b.outcome(await b.enqueue("chatty"))
        assert (await b.life(task.task_id)).count("task.progressed") <= 1


async def test_many_tasks_each_run_once(database: str) -> None:
    registry = Registry()
    seen: list[int] = []

    @registry.task("count")
    async def count(ctx: Context[Any]) -> None:
        seen.append(ctx.params["n"])

    async with running(database, registry, worker__concurrency=50) as bench:
        await bench.enqueue_many("count", 1000)
        await bench.until_count("task.completed", 1000)
        assert sorted(seen) == list(range(1000))
        assert bench.worker.runner.held == {} and bench.worker.slots.busy == 0
