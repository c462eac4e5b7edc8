"""Task types, queues and workers over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_server import Api, running


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def test_the_catalogue_says_which_types_are_served(api: Api) -> None:
    (found,) = [t for t in (await api.call("GET", "/task-types")).json["items"] if t["task_type"] == "noop"]
    assert (found["queue"], found["max_attempts"], found["timeout_seconds"]) == ("default", 3, 60.0)
    assert found["served"] is False
    await api.sql("SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 10)")
    (found,) = [t for t in (await api.call("GET", "/task-types")).json["items"] if t["task_type"] == "noop"]
    assert found["served"] is True


async def test_workers_are_listed_with_what_they_run(api: Api) -> None:
    await api.enqueue()
    await api.sql("SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 10)")
    await api.sql("SELECT start_worker('w-2', 'host', 2, '{default}', '{noop}', 10)")
    await api.sql("SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 10)")
    await api.sql("SELECT stop_worker('w-2', 'shutdown')")
    workers = {w["worker_id"]: w for w in (await api.call("GET", "/workers")).json["items"]}
    assert (workers["w-1"]["status"], workers["w-1"]["running"]) == ("live", 1)
    assert workers["w-2"]["status"] == "stopped"
    live = await api.call("GET", "/workers?live=true")
    assert [worker["worker_id"] for worker in live.json["items"]] == ["w-1"]


async def default_queue(api: Api) -> dict[str, Any]:
    """One of several: each published type has made its queue known."""
    items = (await api.call("GET", "/queues")).json["items"]
    return {each["queue"]: each for each in items}["default"]


async def test_queues_are_counted_by_class(api: Api) -> None:
    for priority in (1, 5, 5, 9):
        await api.enqueue(priority=priority)
    await api.enqueue(run_at="2999-01-01T00:00:00Z")
    queue = await default_queue(api)
    assert (queue["queue"], queue["paused"], queue["ready"], queue["waiting"]) == ("default", False, 4, 1)
    assert {each["task_class"]: each["ready"] for each in queue["classes"]} == {
        "high": 1,
        "medium": 2,
        "low": 1,
    }


async def test_a_queue_is_paused_and_resumed(api: Api) -> None:
    await api.enqueue()
    paused = await api.call("POST", "/queues/default/pause", {"reason": "deploy"})
    assert (paused.status, paused.json) == (200, {"queue": "default", "paused": True})
    assert int(paused.headers["X-Position"]) == await api.head()
    again = await api.call("POST", "/queues/default/pause")
    assert again.status == 200 and "X-Position" not in again.headers
    assert (await default_queue(api))["paused"] is True
    resumed = await api.call("POST", "/queues/default/resume")
    assert resumed.json == {"queue": "default", "paused": False}
    assert (await default_queue(api))["paused"] is False
