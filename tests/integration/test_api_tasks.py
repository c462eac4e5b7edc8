"""Tasks over HTTP."""

from collections.abc import AsyncIterator

import pytest

from tests.api_server import Api, running


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def test_a_task_is_enqueued_and_found_again(api: Api) -> None:
    body = {"task_type": "noop", "params": {"n": [1, 2.5, None]}, "priority": 2, "subject": "thing:1"}
    made = await api.call("POST", "/tasks", body, {"X-Request-ID": "my-request"})
    assert made.status == 202, made
    assert made.json["status"] == "pending" and made.json["created_at"].endswith("Z")
    task_id = made.json["task_id"]
    position = int(made.headers["X-Position"])
    assert await api.sql(
        "SELECT type || ' ' || actor || ' ' || correlation_id FROM events WHERE position = $1", position
    ) == ("task.enqueued api:development my-request")
    found = await api.call("GET", f"/tasks/{task_id}")
    assert found.status == 200
    assert {name: found.json[name] for name in made.json} == made.json
    assert found.json["queue_position"] == 1 and found.json["attempts"] == []


async def test_a_task_may_say_everything_itself(api: Api) -> None:
    body = {
        "task_type": "noop",
        "task_id": "mine-1",
        "queue": "slow",
        "priority": 9,
        "subject": "agent:5f3c0c5e-0000-4000-8000-00000000000a",
        "max_attempts": 7,
        "backoff": {"kind": "fixed", "seconds": 30},
        "timeout_seconds": 0.5,
        "run_at": "2999-01-01T00:00:00",
        "unique_key": "one",
        "unique_states": ["pending"],
        "webhook_url": "https://example.com/hook",
    }
    made = await api.call("POST", "/tasks", body)
    assert made.status == 202, made
    told = {name: made.json[name] for name in body if name not in ("backoff", "unique_states")}
    assert told == {name: body[name] for name in told} | {"run_at": "2999-01-01T00:00:00Z"}
    found = await api.call("GET", "/tasks/mine-1")
    assert {name: found.json[name] for name in made.json} == made.json
    assert found.json["queue_position"] is None, "it waits for a time"


async def test_a_task_that_meets_its_unique_key_is_answered_with_the_open_one(api: Api) -> None:
    first = await api.enqueue(unique_key="only-one")
    again = await api.call("POST", "/tasks", {"task_type": "noop", "unique_key": "only-one"})
    assert (again.status, again.json["task_id"]) == (200, first)
    assert "X-Position" not in again.headers


async def test_an_unknown_type_is_refused_with_the_nearest_names(api: Api) -> None:
    answer = await api.call("POST", "/tasks", {"task_type": "nop"})
    assert answer.status == 422
    assert "nop" in answer.json["detail"] and "noop" in answer.json["hint"]


async def test_many_are_enqueued_together_or_not_at_all(api: Api) -> None:
    tasks = [{"task_type": "noop", "params": {"n": n}} for n in range(50)]
    made = await api.call("POST", "/tasks/bulk", {"tasks": tasks})
    assert made.status == 202
    assert [task["params"]["n"] for task in made.json["tasks"]] == list(range(50))
    assert int(made.headers["X-Position"]) == await api.head()
    before = await api.head()
    refused = await api.call("POST", "/tasks/bulk", {"tasks": [*tasks, {"task_type": "unknown"}]})
    assert refused.status == 422 and "task 51" in refused.json["detail"]
    assert await api.head() == before


async def test_a_list_is_filtered_and_paged_newest_first(api: Api) -> None:
    ids = [await api.enqueue(queue=queue, subject=f"thing:{queue}") for queue in ("a", "b", "a", "b", "a")]
    first = await api.call("GET", "/tasks?limit=2")
    assert [task["task_id"] for task in first.json["items"]] == ids[:2:-1]
    rest = await api.call("GET", "/tasks", params={"limit": "3", "cursor": first.json["next"]})
    assert [task["task_id"] for task in rest.json["items"]] == ids[2::-1] and rest.json["next"] is None
    for query, expected in [
        ("queue=a", ids[::-2]),
        ("subject=thing:b", ids[3::-2]),
        ("status=pending&status=running&type=noop", ids[::-1]),
        ("status=running", []),
        ("type=other", []),
        (f"text={ids[2]}", [ids[2]]),
        ("from=2999-01-01T00:00:00Z", []),
        ("to=2999-01-01", ids[::-1]),
    ]:
        found = await api.call("GET", f"/tasks?{query}")
        assert [task["task_id"] for task in found.json["items"]] == expected, query


async def test_a_pending_task_is_cancelled_once(api: Api) -> None:
    task_id = await api.enqueue()
    cancelled = await api.call("DELETE", f"/tasks/{task_id}")
    assert (cancelled.status, cancelled.json) == (204, None)
    assert int(cancelled.headers["X-Position"]) == await api.head()
    again = await api.call("DELETE", f"/tasks/{task_id}")
    assert again.status == 409
    assert again.json["detail"] == "Cannot cancel task with status: cancelled"


async def test_a_running_task_is_asked_to_stop(api: Api) -> None:
    task_id = await api.enqueue()
    await start(api)
    assert (await api.call("DELETE", f"/tasks/{task_id}")).status == 204
    found = await api.call("GET", f"/tasks/{task_id}")
    assert (found.json["status"], found.json["cancellation_requested"]) == ("running", True)
    assert [attempt["attempt"] for attempt in found.json["attempts"]] == [1]


async def test_a_completed_task_can_be_neither_cancelled_nor_retried(api: Api) -> None:
    task_id = await api.enqueue()
    await start(api)
    await api.sql("SELECT complete_task($1, 2)", task_id)
    cancelled = await api.call("DELETE", f"/tasks/{task_id}")
    assert (cancelled.status, cancelled.json["detail"]) == (409, "Cannot cancel task with status: completed")
    retried = await api.call("POST", f"/tasks/{task_id}/retry")
    assert (retried.status, retried.json["detail"]) == (409, "Cannot retry task with status: completed")


async def test_a_task_that_ended_badly_is_retried_by_hand(api: Api) -> None:
    task_id = await api.enqueue(max_attempts=1)
    await start(api)
    await api.sql("SELECT fail_task($1, 2, 'broken')", task_id)
    retried = await api.call("POST", f"/tasks/{task_id}/retry", {"reason": "mended"})
    assert retried.status == 202
    found = await api.call("GET", f"/tasks/{task_id}")
    assert {name: found.json[name] for name in retried.json} == retried.json
    assert (found.json["status"], found.json["attempt"], found.json["failures"]) == ("pending", 1, 0)
    events = await api.call("GET", f"/tasks/{task_id}/events")
    assert events.json["items"][-1]["data"]["reason"] == "mended"


async def test_the_life_of_a_task_is_told_in_pages(api: Api) -> None:
    task_id = await api.enqueue()
    await start(api)
    first = await api.call("GET", f"/tasks/{task_id}/events?limit=1")
    assert [event["type"] for event in first.json["items"]] == ["task.enqueued"]
    rest = await api.call("GET", f"/tasks/{task_id}/events?after={first.json['next']}")
    assert [event["type"] for event in rest.json["items"]] == ["task.started"]
    assert rest.json["next"] is None
    end = await api.call("GET", f"/tasks/{task_id}/events?after=9")
    assert (end.status, end.json["items"]) == (200, [])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/events"), ("DELETE", ""), ("POST", "/retry")]
)
async def test_a_task_that_is_not_there_is_not_found(api: Api, method: str, path: str) -> None:
    answer = await api.call(method, f"/tasks/task-1{path}")
    assert (answer.status, answer.json["detail"]) == (404, "Task not found: task-1")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def start(api: Api) -> None:
    """Let a worker claim what there is."""
    await api.sql("SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 10)")
    await api.sql("SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 10)")
