"""A task's life and why it waits, over HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_server import Api, running

AGENT = "5f3c0c5e-0000-4000-8000-000000000001"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def lived(api: Api) -> str:
    """A task that ran once and failed."""
    headers = {"X-Request-ID": "my-request"}
    made = await api.call("POST", "/tasks", {"task_type": "noop", "params": {"n": 1}}, headers)
    await api.sql("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 1)")
    await api.sql("SELECT lease FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
    task_id = str(made.json["task_id"])
    await api.sql("SELECT fail_task($1, 2, 'no', retry => false)", task_id)
    return task_id


async def test_a_biography_is_what_task_history_says(api: Api) -> None:
    task_id = await lived(api)
    told = (await api.call("GET", f"/tasks/{task_id}/biography")).json
    rows = await api.db.fetch("SELECT * FROM task_history($1)", task_id)
    assert len(rows) == 3 and told["next"] is None
    for item, row in zip(told["items"], rows, strict=True):
        for name in ("position", "version", "type", "actor", "reason", "status", "attempt"):
            assert item[name] == row[name], name
        assert item["recorded_at"] == row["recorded_at"].isoformat().replace("+00:00", "Z")
        gap_ms = None if row["gap"] is None else row["gap"].total_seconds() * 1000
        assert item["gap_ms"] == pytest.approx(gap_ms)
        as_text = await api.sql(
            "SELECT $1::jsonb = $2::jsonb", *map(dumped, (item["changes"], row["changes"]))
        )
        assert as_text and await api.sql("SELECT $1::jsonb = $2", *map(dumped, (item["data"], row["data"])))
    assert told["facts"]["params"] == {"n": 1} and told["facts"]["correlation_id"] == "my-request"
    spent = await api.db.fetch("SELECT phase, seconds FROM task_time_spent($1)", task_id)
    assert [(each["phase"], each["seconds"]) for each in told["time_spent"]] == list(map(tuple, spent))
    assert abs(sum(each["share"] for each in told["time_spent"]) - 1) < 1e-9


def dumped(value: Any) -> str:
    """jsonb as the plain connection of these tests gives and takes it."""
    return value if isinstance(value, str) else json.dumps(value)


async def test_pages_of_a_life_follow_each_other(api: Api) -> None:
    task_id = await lived(api)
    whole = (await api.call("GET", f"/tasks/{task_id}/biography")).json["items"]
    first = (await api.call("GET", f"/tasks/{task_id}/biography?limit=2")).json
    assert first["items"] == whole[:2] and first["next"] == whole[1]["position"]
    second = (await api.call("GET", f"/tasks/{task_id}/biography?limit=2&after={first['next']}")).json
    assert second["items"] == whole[2:] and second["next"] is None
    assert second["facts"] == first["facts"] and second["time_spent"] == first["time_spent"]
    beyond = await api.call("GET", f"/tasks/{task_id}/biography?after=999999")
    assert (beyond.status, beyond.json["items"]) == (200, [])


async def test_until_ends_a_life_at_a_position_or_a_time(api: Api) -> None:
    task_id = await lived(api)
    path = f"/tasks/{task_id}/biography"
    whole = (await api.call("GET", path)).json["items"]
    for until in (whole[1]["position"], whole[1]["recorded_at"]):
        told = (await api.call("GET", f"{path}?until={until}")).json
        assert told["items"] == whole[:2]
        assert [each["phase"] for each in told["time_spent"]] == ["queued"]
    assert (await api.call("GET", f"{path}?until={whole[0]['position'] - 1}")).status == 404


@pytest.mark.parametrize(
    ("query", "detail"),
    [("until=soon", "neither a position"), ("until=999999", "no position"), ("limit=0", "limit")],
)
async def test_bad_questions_about_a_life_are_refused(api: Api, query: str, detail: str) -> None:
    task_id = await lived(api)
    answer = await api.call("GET", f"/tasks/{task_id}/biography?{query}")
    assert answer.status == 422 and detail in answer.json["detail"]


async def test_an_open_append_holds_a_position_back(api: Api) -> None:
    task_id = await lived(api)
    async with api.db.transaction():
        other = await api.sql("SELECT enqueue_task('noop')")
        assert other
        head = await api.sql("SELECT max(position) FROM events")
        answer = await api.call("GET", f"/tasks/{task_id}/biography?until={head}")
        assert (answer.status, "not settled" in answer.json["detail"]) == (409, True)


async def test_a_task_that_is_gone_still_has_its_life(api: Api) -> None:
    task_id = await api.enqueue(subject=f"agent:{AGENT}")
    await api.sql(
        "SELECT append_events(ARRAY[ROW('agent', $1::text, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)"
        "::event_draft])",
        AGENT,
    )
    assert (await api.call("GET", f"/tasks/{task_id}")).status == 404
    told = (await api.call("GET", f"/tasks/{task_id}/biography")).json
    assert [item["type"] for item in told["items"]] == ["task.enqueued", "agent.deleted"]
    assert told["items"][1]["status"] is None and told["facts"]["subject"] == f"agent:{AGENT}"
    why = (await api.call("GET", f"/tasks/{task_id}/why")).json
    assert (why["status"], why["reason"]) == (None, "gone")


async def test_why_is_what_why_pending_says(api: Api) -> None:
    task_id = await api.enqueue()
    await api.sql("SELECT pause_queue('default', 'deploy', 'api:ops')")
    told = (await api.call("GET", f"/tasks/{task_id}/why")).json
    row = await api.db.fetchrow("SELECT * FROM why_pending($1)", task_id)
    for name in ("task_id", "status", "blocked", "reason"):
        assert told[name] == row[name], name
    assert told["sentence"].startswith("Waits for the pause of queue 'default' to end: paused ")
    assert [cause["reason"] for cause in told["facts"]["causes"]] == ["queue_paused", "no_worker"]
    over = (await api.call("GET", f"/tasks/{await lived_after(api)}/why")).json
    assert (over["reason"], over["sentence"].endswith("on attempt 1: Error: no (permanent).")) == (
        "failed",
        True,
    )


async def lived_after(api: Api) -> str:
    """A task that ran once and failed, beside those of a test."""
    await api.sql("SELECT resume_queue('default')")
    await api.sql("SELECT cancel_task(task_id) FROM background_tasks WHERE status = 'pending'")
    return await lived(api)


@pytest.mark.parametrize("route", ["biography", "why"])
async def test_a_task_that_never_was_is_not_found(api: Api, route: str) -> None:
    answer = await api.call("GET", f"/tasks/nope/{route}")
    assert answer.status == 404 and answer.json["detail"] == "Task not found: nope"
