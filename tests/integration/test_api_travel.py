"""The past over HTTP: `?at=` on tasks, lists and queues."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api_server import Answer, Api, running

AGENT = "5f3c0c5e-0000-4000-8000-00000000000a"
DELETED = "ARRAY[ROW('agent', $1, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)::event_draft]"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def claim(api: Api, slots: int = 1) -> int:
    """Let a worker take tasks; gives the position reached."""
    await api.sql("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)")
    await api.sql("SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', $1)", slots)
    return await api.head()


def told(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    return {task["task_id"]: task["status"] for task in answer.json["items"]}


async def test_a_task_and_its_attempts_are_shown_as_they_were(api: Api) -> None:
    task_id = await api.enqueue(params={"n": 1})
    born = await api.head()
    started = await claim(api)
    await api.sql("SELECT fail_task($1, 2, 'no', retry => false)", task_id)
    failed = await api.head()
    await api.call("POST", f"/tasks/{task_id}/retry")
    for position, status, attempts in (
        (born, "pending", []),
        (started, "running", [("running", None)]),
        (failed, "failed", [("failed", "no")]),
        (await api.head(), "pending", [("failed", "no")]),
    ):
        found = await api.call("GET", f"/tasks/{task_id}?at={position}")
        assert (found.status, found.json["status"]) == (200, status), found
        assert [(each["status"], each["error_message"]) for each in found.json["attempts"]] == attempts
        assert found.headers["X-Position"] == str(position)
        assert found.json["params"] == {"n": 1} and found.json["queue_position"] is None
    now = await api.call("GET", f"/tasks/{task_id}")
    assert now.json | {"queue_position": None, "estimated_completion_at": None} == found.json


async def test_a_task_that_was_not_there_is_404_with_the_reason(api: Api) -> None:
    before = await api.head()
    task_id = await api.enqueue(subject=f"agent:{AGENT}")
    born = await api.head()
    early = await api.call("GET", f"/tasks/{task_id}?at={before}")
    assert (early.status, early.json["hint"]) == (404, f"It was enqueued at position {born}.")
    await api.sql(f"SELECT count(*) FROM append_events({DELETED})", AGENT)
    gone = await api.call("GET", f"/tasks/{task_id}?at={await api.head()}")
    assert gone.status == 404 and "gone already" in gone.json["detail"]
    there = await api.call("GET", f"/tasks/{task_id}?at={born}")
    assert (there.status, there.json["status"]) == (200, "pending"), "gone now, and still told"
    assert told(await api.call("GET", f"/tasks?at={born}")) == {task_id: "pending"}
    unknown = await api.call("GET", f"/tasks/nope?at={born}")
    assert (unknown.status, unknown.json["detail"]) == (404, "Task not found: nope")


async def test_filters_and_pages_are_those_of_the_moment(api: Api) -> None:
    ids = [await api.enqueue(queue=queue, subject=f"thing:{queue}") for queue in ("default", "b") * 3]
    born = await api.head()
    running_then = await claim(api, 2)
    await api.sql("SELECT fail_task($1, 2, 'the supplier sleeps', retry => false)", ids[0])
    failed = await api.head()
    await api.call("POST", f"/tasks/{ids[0]}/retry")
    await api.enqueue()
    assert list(told(await api.call("GET", f"/tasks?at={born}"))) == ids[::-1]
    for query, expected in [
        ("queue=b", ids[5::-2]),
        ("subject=thing:default", ids[4::-2]),
        ("status=failed", ids[:1]),
        ("status=running", [ids[2]]),
        ("status=pending", [ids[5], ids[4], ids[3], ids[1]]),
        ("status=pending&status=failed&queue=default", [ids[4], ids[0]]),
        ("text=SUPPLIER", ids[:1]),
        ("type=other", []),
        ("to=2000-01-01", []),
    ]:
        found = await api.call("GET", f"/tasks?at={failed}&{query}")
        assert list(told(found)) == expected, query
    assert list(told(await api.call("GET", f"/tasks?at={running_then}&text=supplier"))) == []
    first = await api.call("GET", f"/tasks?at={born}&limit=4")
    rest = await api.call("GET", f"/tasks?at={born}&limit=4&cursor={first.json['next']}")
    assert list(told(first)) + list(told(rest)) == ids[::-1] and rest.json["next"] is None


async def test_later_pages_stay_at_the_position_of_the_first(api: Api) -> None:
    """The time of the question is past, but something recorded before it may still become settled."""
    ids = [await api.enqueue() for _ in range(3)]
    born = await api.head()
    time = datetime.fromisoformat(str(await api.sql("SELECT clock_timestamp()"))).isoformat()
    params = {"at": time, "limit": "2"}
    first = await api.call("GET", "/tasks", params=params)
    assert first.headers["X-Position"] == str(born)
    late = await api.sql("SELECT enqueue_task('noop', at => $1)", datetime.fromisoformat(time) - timedelta(1))
    rest = await api.call("GET", "/tasks", params=params | {"cursor": first.json["next"]})
    assert [*told(first), *told(rest)] == ids[::-1] and late not in told(rest)
    assert rest.headers["X-Position"] == str(born)
    other = await api.call("GET", f"/tasks?at={born - 1}&cursor={first.json['next']}")
    assert (other.status, other.json["hint"]) == (422, f"Ask for at={born} on every page.")
    of_now = await api.call("GET", "/tasks?limit=1")
    assert (await api.call("GET", f"/tasks?at={born}&cursor={of_now.json['next']}")).status == 422


async def test_queues_are_counted_as_they_were(api: Api) -> None:
    ids = [await api.enqueue(priority=priority) for priority in (1, 5, 5)]
    await api.enqueue(run_at="2999-01-01T00:00:00Z")
    await api.call("POST", "/queues/default/pause")
    paused = await api.head()
    await api.call("POST", "/queues/default/resume")
    started = await claim(api, 2)
    await api.sql("SELECT complete_task($1, 2)", ids[0])
    assert (await api.call("GET", "/queues?at=0")).json["items"] == []
    [then] = (await api.call("GET", f"/queues?at={paused}")).json["items"]
    assert (then["queue"], then["paused"], then["pending"], then["running"]) == ("default", True, 4, 0)
    assert (then["ready"], then["waiting"], then["oldest_ready_at"]) == (None, None, None)
    answer = await api.call("GET", f"/queues?at={started}")
    [then] = answer.json["items"]
    assert answer.headers["X-Position"] == str(started)
    assert (then["paused"], then["pending"], then["running"], then["completed"]) == (False, 2, 2, 0)
    assert {each["task_class"]: each["running"] for each in then["classes"]} == {"high": 1, "medium": 1}
    [then] = (await api.call("GET", f"/queues?at={await api.head()}")).json["items"]
    assert (then["pending"], then["running"], then["completed"]) == (2, 1, 1)
    now = (await api.call("GET", "/queues")).json["items"]
    [now] = [each for each in now if each["queue"] == "default"]
    assert (now["pending"], now["ready"], now["waiting"], now["completed"]) == (2, 1, 1, None)


async def test_bad_moments_are_refused_with_what_to_do(api: Api) -> None:
    bad = ("yesterday", "-1", "1.5", "", "999999999", "9" * 30, "0001-01-01T00:00:00%2B14:00", "4711&at=2")
    for path in ("/tasks", "/tasks/nope", "/queues"):
        for at in bad:
            answer = await api.call("GET", f"{path}?at={at}")
            assert answer.status == 422, (path, at, answer)
            assert answer.json["type"] == "urn:annals:invalid" and answer.json["detail"]


async def test_a_position_that_is_not_settled_is_409(api: Api) -> None:
    await api.enqueue()
    async with api.db.transaction():
        await api.sql("SELECT enqueue_task('noop')")
        position = await api.sql("SELECT max(position) FROM events")
        for path in ("/tasks", "/tasks/nope", "/queues"):
            answer = await api.call("GET", f"{path}?at={position}")
            assert answer.status == 409, answer
            assert answer.json["hint"].startswith("Ask again, or ask for position ")


async def test_times_to_come_are_now_and_times_before_everything_are_empty(api: Api) -> None:
    task_id = await api.enqueue()
    assert told(await api.call("GET", "/tasks?at=2999-01-01T00:00:00Z")) == {task_id: "pending"}
    early = await api.call("GET", "/tasks?at=2000-01-01")
    assert (told(early), early.headers["X-Position"]) == ({}, "0")
