"""Requests that are written together: each gets its own answer, and its own failure."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.api.log_reads import Log
from service.errors import DatabaseUnavailable
from tests.api_server import Api, running


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def ask(api: Api, number: int, **fields: Any) -> Any:
    body = {"task_type": "noop", "params": {"n": number}} | fields
    return await api.call("POST", "/tasks", body, {"X-Request-ID": f"request-{number}"})


async def test_each_of_many_at_once_gets_its_own_task(api: Api) -> None:
    await api.enqueue()
    answers = await asyncio.gather(*(ask(api, number) for number in range(200)))
    assert {answer.status for answer in answers} == {202}
    assert [answer.json["params"]["n"] for answer in answers] == list(range(200))
    assert [answer.json["correlation_id"] for answer in answers] == [f"request-{n}" for n in range(200)]
    assert len({answer.json["task_id"] for answer in answers}) == 200
    assert await api.sql("SELECT count(*) FROM background_tasks") == 1 + 200
    written = "SELECT count(DISTINCT xmin::text) FROM events WHERE correlation_id LIKE 'request-%'"
    assert await api.sql(written) < 100, "they were not written together"


async def test_a_bad_one_among_them_fails_alone(api: Api) -> None:
    await api.enqueue()
    types = ["noop" if number % 10 else f"unknown-{number}" for number in range(60)]
    answers = await asyncio.gather(*(ask(api, n, task_type=name) for n, name in enumerate(types)))
    for number, answer in enumerate(answers):
        if number % 10:
            assert (answer.status, answer.json["params"]["n"]) == (202, number)
        else:
            assert answer.status == 422 and f"unknown-{number}" in answer.json["detail"]
            assert "task 1 " in answer.json["detail"], "the place in somebody else's list was told"
    assert await api.sql("SELECT count(*) FROM background_tasks") == 1 + 54


async def test_what_may_have_been_written_is_not_written_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that broke after the commit: the group must not be tried again in halves."""
    real = Log.events_of

    async def lost(*args: Any) -> Any:
        monkeypatch.setattr(Log, "events_of", real)
        raise DatabaseUnavailable("The connection broke.")

    monkeypatch.setattr(Log, "events_of", lost)
    answers = await asyncio.gather(*(ask(api, number) for number in range(20)))
    assert {answer.status for answer in answers} <= {202, 503}
    assert 503 in {answer.status for answer in answers}
    assert await api.sql("SELECT count(*) FROM background_tasks") == 20


async def test_a_request_that_is_given_up_takes_nobody_with_it(database: str) -> None:
    async with running(database, api__request_timeout_seconds=3) as api:
        await api.enqueue()
        async with api.db.transaction():
            await api.sql("LOCK TABLE events IN EXCLUSIVE MODE")
            stuck = await asyncio.gather(*(ask(api, number) for number in range(30)))
        assert {answer.status for answer in stuck} == {503}
        assert await api.sql("SELECT count(*) FROM background_tasks") == 1, "a given up request was written"
        later = await asyncio.gather(*(ask(api, number) for number in range(30)))
        assert {answer.status for answer in later} == {202}, "the lead was lost"


async def test_an_outage_is_told_to_every_request_of_a_group(api: Api) -> None:
    await api.enqueue()
    stuck = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with api.db.transaction():
        await api.sql("LOCK TABLE events IN EXCLUSIVE MODE")
        asked = asyncio.gather(*(ask(api, number) for number in range(30)))
        async with asyncio.timeout(20):
            while not await api.sql(f"SELECT count(*) {stuck}"):  # noqa: ASYNC110
                await asyncio.sleep(0)  # the requests are sent by this very loop
        # Again and again: those that waited behind the first writers are written next.
        while not asked.done():
            await api.sql(f"SELECT count(pg_terminate_backend(pid)) {stuck}")
            await asyncio.sleep(0)
        answers = await asked
    assert {(answer.status, answer.headers.get("Retry-After")) for answer in answers} == {(503, "2")}
    assert await api.sql("SELECT count(*) FROM background_tasks") == 1
    later = await asyncio.gather(*(ask(api, number) for number in range(30)))
    assert {answer.status for answer in later} == {202}


async def test_callers_are_not_mixed(api: Api) -> None:
    for name in ("a", "b"):
        await api.sql("SELECT create_key($1, sha256(convert_to($1, 'UTF8')), '{write}')", name)
    keys = [{"X-API-Key": name} for name in "ab" * 20]
    await asyncio.gather(*(api.call("POST", "/tasks", {"task_type": "noop"}, key) for key in keys))
    rows = await api.db.fetch(
        "SELECT actor, count(*) FROM events WHERE type = 'task.enqueued' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("api:a", 20), ("api:b", 20)]
