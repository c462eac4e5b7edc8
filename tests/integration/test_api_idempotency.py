"""A POST that is repeated with its Idempotency-Key happens once and is answered alike."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_server import Api, running

KEY = {"Idempotency-Key": "k-1"}
TASK = {"task_type": "noop", "params": {"n": 1}}


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def claim(api: Api) -> None:
    await api.sql("SELECT start_worker('w-1', 'host', 1, '{default}', '{noop}', 10)")
    await api.sql("SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 10)")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tasks", TASK),
        ("/tasks/bulk", {"tasks": [TASK, TASK]}),
        ("/queues/default/pause", {"reason": "why"}),
    ],
)
async def test_the_same_answer_is_rendered_again(api: Api, path: str, body: Any) -> None:
    first = await api.call("POST", path, body, KEY)
    assert first.status in (200, 202)
    head = await api.head()
    await claim(api)  # what was written moves on; the answer does not
    moved = await api.head()
    again = await api.call("POST", path, body, KEY)
    assert (again.status, again.json) == (first.status, first.json)
    assert again.headers["X-Position"] == first.headers["X-Position"] == str(head)
    assert await api.head() == moved


async def test_a_retry_is_repeated_alike_even_when_its_row_is_gone(api: Api) -> None:
    task_id = await api.enqueue()
    await api.call("DELETE", f"/tasks/{task_id}")
    first = await api.call("POST", f"/tasks/{task_id}/retry", headers=KEY)
    assert first.status == 202
    await claim(api)
    again = await api.call("POST", f"/tasks/{task_id}/retry", headers=KEY)
    assert (again.status, again.json, again.headers["X-Position"]) == (
        202,
        first.json,
        first.headers["X-Position"],
    )


async def test_the_same_key_with_another_request_is_refused(api: Api) -> None:
    await api.call("POST", "/tasks", TASK, KEY)
    head = await api.head()
    other = await api.call("POST", "/tasks", TASK | {"priority": 1}, KEY)
    assert other.status == 409 and "another request" in other.json["detail"]
    assert await api.head() == head


async def test_keys_of_two_routes_do_not_meet(api: Api) -> None:
    assert (await api.call("POST", "/tasks", TASK, KEY)).status == 202
    assert (await api.call("POST", "/tasks/bulk", {"tasks": [TASK]}, KEY)).status == 202


async def test_a_refusal_is_not_kept(api: Api) -> None:
    wrong = await api.call("POST", "/tasks", {"task_type": "noops"}, KEY)
    assert wrong.status == 422
    assert (await api.call("POST", "/tasks", TASK, KEY)).status == 202


async def test_of_many_at_once_one_happens(api: Api) -> None:
    before = await api.head()
    answers = await asyncio.gather(*(api.call("POST", "/tasks", TASK, KEY) for _ in range(20)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["task_id"] for answer in answers}) == 1
    assert await api.head() == before + 1
