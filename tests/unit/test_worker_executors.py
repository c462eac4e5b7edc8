"""Handlers on the event loop: each an asyncio task of its own that leaves nothing behind."""

import asyncio
import contextvars
import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from service.settings import load
from service.worker.attempt import Ending
from service.worker.executors import AsyncExecutor
from service.worker.ports import Surroundings
from service.worker.registry import Registry
from service.worker.reports import Reports
from service.worker.runner import Runner
from tests.unit.test_worker_attempt import claimed

STATE: contextvars.ContextVar[str] = contextvars.ContextVar("STATE", default="untouched")


class Scene:
    """A runner with one way of running, and what it reports."""

    def __init__(self, registry: Registry) -> None:
        nothing: Any = None
        self.endings: list[Ending] = []
        self.places: Counter[str] = Counter()
        around = Surroundings(
            settings=load({}),
            db=nothing,
            tasks=nothing,
            reports=Reports(1.0, 10.0),
            wake_flusher=lambda: None,
            ring=lambda channel, payload: None,
            actor=lambda: "worker:w",
            epoch="e",
        )
        self.runner = Runner(registry, self.endings.append, lambda: "w")
        self.runner.use({"async": AsyncExecutor(around, lambda kind: self.places.update([kind]))})

    def outcomes(self) -> list[str]:
        """How the attempts ended, in the order in which they did."""
        return [ending.verdict.outcome for ending in self.endings]


def registry_of(handler: Callable[..., Any]) -> Registry:
    registry = Registry()
    registry.task("noop")(handler)
    return registry


async def run(handler: Callable[..., Any], number: int = 1) -> Scene:
    scene = Scene(registry_of(handler))
    scene.runner.start([claimed(f"task-{n}") for n in range(number)])
    await asyncio.wait_for(scene.runner.idle(), 5)
    assert scene.places == {"async": number}
    return scene


async def returns(ctx: Any) -> None:
    """Nothing."""


async def waits(ctx: Any) -> dict[str, int]:
    await asyncio.sleep(0)  # let others run, as nearly every handler does
    return {"n": 1}


async def fails(ctx: Any) -> None:
    raise ValueError(ctx.task_id)


@pytest.mark.parametrize("handler", [returns, waits, fails])
async def test_attempts_leave_nothing_to_the_garbage_collector(handler: Callable[..., Any]) -> None:
    await run(handler, 3)
    gc.collect()
    gc.disable()
    try:
        scene = await run(handler, 200)
        assert len(scene.endings) == 200
        del scene
        # A cycle in each attempt would leave two thousand objects.
        assert gc.collect() < 200
    finally:
        gc.enable()


async def test_a_handler_leaves_no_trace_in_the_context_of_the_next() -> None:
    seen = []

    async def handler(ctx: Any) -> None:
        seen.append(STATE.get())
        STATE.set(ctx.task_id)

    await run(handler, 3)
    assert seen == ["untouched"] * 3


async def test_each_handler_has_an_asyncio_task_of_its_own_named_by_its_task() -> None:
    tasks = []

    async def handler(ctx: Any) -> None:
        tasks.append(asyncio.current_task())

    await run(handler, 3)
    assert [task.get_name() for task in tasks if task] == ["task-0", "task-1", "task-2"]
    assert len(set(tasks)) == 3


async def test_a_handler_that_leaves_its_own_cancellation_pending_fails() -> None:
    async def handler(ctx: Any) -> str:
        task = asyncio.current_task()
        assert task
        task.cancel()
        return "done"

    scene = await run(handler)
    (ending,) = scene.endings
    assert ending.verdict.detail["error_message"] == "the handler cancelled itself"


async def test_a_handler_may_be_cancelled_before_it_has_begun() -> None:
    scene = Scene(registry_of(returns))
    scene.runner.start([claimed("a"), claimed("b")])
    scene.runner.cancel("a")
    await asyncio.wait_for(scene.runner.idle(), 5)
    assert scene.outcomes() == ["cancelled", "completed"] and scene.places == {"async": 2}


async def test_a_handler_that_swallows_its_cancellation_is_given_up_and_keeps_its_place() -> None:
    go = asyncio.Event()

    async def handler(ctx: Any) -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    scene = Scene(registry_of(handler))
    scene.runner.start([claimed("a")])
    await asyncio.sleep(0)  # the handler begins
    scene.runner.cancel("a")
    await asyncio.sleep(0)  # it is asked
    assert scene.endings == []
    scene.runner.release_all()
    await scene.runner.close()
    assert scene.outcomes() == ["cancelled"] and not scene.places
    go.set()
    while not scene.places:  # noqa: ASYNC110 the place comes back without a signal of its own
        await asyncio.sleep(0)
    assert len(scene.endings) == 1


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_a_handler_that_calls_for_the_end_of_the_process_fails_alone(
    error: type[BaseException],
) -> None:
    async def handler(ctx: Any) -> None:
        if ctx.task_id == "task-0":
            raise error

    scene = await run(handler, 2)
    assert scene.outcomes() == ["failed", "completed"]
    assert scene.endings[0].verdict.detail["retry"] is False


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("INFO", ["Task started", "Task started", "Task completed", "Task retry scheduled"]),
        ("WARNING", []),
    ],
)
async def test_lines_about_attempts_are_told_at_their_level(
    level: str, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level, "service.worker.runner")
    scene = await run(returns, 2)
    scene.runner.confirmed(scene.endings, {"task-1": "retry_scheduled"})
    assert [record.message for record in caplog.records] == told
    assert scene.runner.held == {}


async def test_what_failed_for_good_is_told_also_where_only_warnings_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING", "service.worker.runner")
    scene = await run(fails, 2)
    scene.runner.confirmed(scene.endings, {"task-0": "failed", "task-1": "lease_lost"})
    assert [record.message for record in caplog.records] == ["Task failed", "Task lease lost"]


async def test_what_is_claimed_again_meanwhile_stays_held() -> None:
    scene = await run(returns)
    scene.runner.held["task-0"] = 9
    scene.runner.confirmed(scene.endings, {})
    assert scene.runner.held == {"task-0": 9}
