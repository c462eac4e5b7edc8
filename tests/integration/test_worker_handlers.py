"""Handlers on a real worker and a real database: each way to run, each way to end."""

from typing import Any

from service import Context
from service.worker.registry import Registry
from tests.integration.worker_bench import running


async def test_a_coroutine_runs_with_its_task_and_its_result_is_kept(database: str) -> None:
    registry = Registry()

    @registry.task("greet", queue="default")
    async def greet(ctx: Context[Any]) -> dict[str, Any]:
        return {"hello": ctx.params["name"], "attempt": ctx.attempt, "key": ctx.idempotency_key}

    async with running(database, registry) as bench:
        task = await bench.outcome(await bench.enqueue("greet", name="Ada"))
        assert task.status == "completed" and task.attempt == 1
        assert task.result["hello"] == "Ada" and task.result["key"].endswith(task.task_id)
        assert await bench.life(task.task_id) == ["task.enqueued", "task.started", "task.completed"]
