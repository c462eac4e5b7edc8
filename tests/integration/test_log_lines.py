"""The lines that operators search for, with their facts: from a worker, and from the API."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest

from service import Context, Fail, Retry
from service.api.server import serving
from service.coverage.routes import ROUTES
from service.settings import load
from service.worker.registry import Registry
from tests.api_server import running as api_running
from tests.coverage_world import KEY, World
from tests.integration.worker_bench import running

AGENT = "5f3c0c5e-0000-4000-8000-000000000000"
FACTS = {"task_id", "task_type", "attempt", "worker_id"}


def lines(caplog: pytest.LogCaptureFixture, task_id: str) -> list[dict[str, Any]]:
    """What was told of a task: level, message and facts."""
    told = [(record, getattr(record, "fields", None) or {}) for record in caplog.records]
    return [
        fields | {"level": record.levelname, "message": record.getMessage()}
        for record, fields in told
        if fields.get("task_id") == task_id
    ]


def shown(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["level"], line["message"]) for line in told]


def handlers() -> Registry:
    registry = Registry()

    @registry.task("fine")
    async def fine(ctx: Context[Any]) -> None:
        """End well."""

    @registry.task("never")
    async def never(ctx: Context[Any]) -> None:
        raise Fail("no such order")

    @registry.task("again")
    async def again(ctx: Context[Any]) -> None:
        if ctx.attempt == 1:
            raise Retry("busy", after=0)

    @registry.task("slow", timeout_seconds=0.1, max_attempts=1)
    async def slow(ctx: Context[Any]) -> None:
        await asyncio.Event().wait()

    @registry.task("waits")
    async def waits(ctx: Context[Any]) -> None:
        await ctx.progress(1)
        await asyncio.Event().wait()

    return registry


ENDS = {
    "fine": [("INFO", "Task completed")],
    "never": [("WARNING", "Task failed")],
    "again": [("INFO", "Task retry scheduled"), ("INFO", "Task started"), ("INFO", "Task completed")],
    "slow": [("WARNING", "Task timed out")],
    "waits": [("INFO", "Task cancelled")],
}


async def test_a_worker_tells_how_each_attempt_began_and_ended(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")
    async with running(database, handlers()) as bench:
        ids = {name: await bench.enqueue(name) for name in ENDS}
        await bench.until(ids["waits"], "task.progressed")
        await bench.tasks.cancel([ids["waits"]], actor="test", ring=True)
        for task_id in ids.values():
            await bench.outcome(task_id)
    for name, ends in ENDS.items():
        told = lines(caplog, ids[name])
        assert shown(told) == [("INFO", "Task started"), *ends], name
        assert all(line.keys() >= FACTS and line["task_type"] == name for line in told)
        assert all(line["duration_ms"] >= 0 for line in told if line["message"] != "Task started")
    assert lines(caplog, ids["never"])[-1]["error"] == "no such order"
    assert [line["attempt"] for line in lines(caplog, ids["again"])] == [1, 1, 2, 2]


async def test_the_api_tells_what_was_enqueued_and_what_never_ran(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")
    async with api_running(database) as api:
        task_id = await api.enqueue()
        of_agent = await api.enqueue(subject=f"agent:{AGENT}")
        await api.call("DELETE", f"/tasks/{task_id}")
    assert shown(lines(caplog, task_id)) == [("INFO", "Task enqueued"), ("INFO", "Task cancelled")]
    assert lines(caplog, of_agent)[0]["agent_id"] == AGENT


async def test_the_api_tells_what_it_measured_itself(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "service")
    async with serving(load(), database, ROUTES) as url, aiohttp.ClientSession(url, headers=KEY) as session:
        world = World(session)
        agent_id = await world.add_agent(await world.add_nodes(1))
        done = await world.post(f"/agents/{agent_id}/coverage/refresh", {"background": False}, 200)
    (line,) = lines(caplog, done["task_id"])
    assert line["message"] == "Task completed" and line["agent_id"] == agent_id
    assert line["duration_ms"] > 0 and line["attempt"] == 1
