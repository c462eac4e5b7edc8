"""Failures in groups, over HTTP and from the command line."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.model.error_group import ErrorGroup
from service.store.error_listing import lines, sparkline
from tests.api_server import Api, running

ROOT = Path(__file__).resolve().parents[2]
TRACE = (
    'Traceback (most recent call last):\n  File "/srv/shop/billing/tasks.py", line 7, in charge\nKeyError\n'
)
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def fail(api: Api, message: str, *, retry: bool = False, at: str | None = None) -> str:
    """A task of which one attempt fails; gives its id."""
    task_id = await api.enqueue()
    lease = await api.sql("SELECT lease FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
    detail = {"error_type": "KeyError", "error_message": message, "retry": retry, "delay_seconds": 9999}
    detail |= {"error_traceback": TRACE} if message.startswith("order") else {}
    await api.sql(
        "SELECT outcome FROM end_attempts('w-1', ARRAY[$1], ARRAY[$2::int], '{failed}',"
        " ARRAY[$3::text::jsonb], at => coalesce($4::text::timestamptz, clock_timestamp()))",
        *(task_id, lease, json.dumps(detail), at),
    )
    return task_id


async def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = await api.call("GET", f"/errors{query}")
    assert answer.status == 200, answer.json
    return list(answer.json["items"])


async def test_failures_of_one_kind_are_one_group(api: Api) -> None:
    await fail(api, "order 17 of 'kim' is gone", retry=True)
    last = await fail(api, "order 4711 of 'lee' is gone")
    await fail(api, "no answer")
    other, group = await listed(api)
    assert (other["pattern"], other["frame"], other["occurrences"]) == ("no answer", None, 1)
    assert group["pattern"] == "order <n> of <text> is gone"
    assert group["frame"] == "billing/tasks.py:charge"
    assert (group["task_type"], group["error_type"], group["state"]) == ("noop", "KeyError", "new")
    counts = [group[name] for name in ("occurrences", "tasks", "retried", "final")]
    assert counts == [2, 2, 1, 1]
    assert (group["last_task_id"], group["last_message"]) == (last, "order 4711 of 'lee' is gone")
    assert sum(group["trend"]) == 2 and len(group["trend"]) == 24


async def test_groups_are_filtered_and_ordered(api: Api) -> None:
    await fail(api, "often")
    await fail(api, "often")
    await fail(api, "once")
    assert [group["pattern"] for group in await listed(api)] == ["once", "often"]
    assert [group["pattern"] for group in await listed(api, "?order=count")] == ["often", "once"]
    assert [group["pattern"] for group in await listed(api, "?text=OFT")] == ["often"]
    assert await listed(api, "?type=other") == []
    assert len(await listed(api, "?type=noop&type=other")) == 2


@pytest.mark.parametrize("order", ["count", "last_seen"])
async def test_pages_hold_every_group_once(api: Api, order: str) -> None:
    for word in ("one", "two", "two", "three", "four"):
        await fail(api, word)
    found, cursor = [], ""
    while True:
        answer = await api.call("GET", f"/errors?order={order}&limit=2{cursor}")
        found += [group["pattern"] for group in answer.json["items"]]
        if not answer.json["next"]:
            break
        cursor = f"&cursor={answer.json['next']}"
    assert sorted(found) == ["four", "one", "three", "two"]
    assert found[0] == ("two" if order == "count" else "four")


async def test_a_group_is_new_ongoing_or_quiet_by_the_window(api: Api) -> None:
    for word in ("old", "both"):
        await fail(api, word)
    between = await api.sql("SELECT clock_timestamp()::text")
    await api.sql(
        "SELECT append_events(ARRAY[ROW('x', 'x', 'x.y', '{}', NULL, NULL, NULL, NULL)::event_draft])"
    )
    for word in ("both", "late"):
        await fail(api, word)
    since = f"&since={between.replace(' ', 'T').replace('+00', 'Z')}"
    states = {
        group["pattern"]: group for group in await listed(api, f"?state=new&state=ongoing&state=quiet{since}")
    }
    assert {name: group["state"] for name, group in states.items()} == {
        "old": "quiet",
        "both": "ongoing",
        "late": "new",
    }
    assert (states["both"]["occurrences"], states["old"]["occurrences"]) == (1, 0)
    assert {group["pattern"] for group in await listed(api, f"?{since}")} == {"both", "late"}
    until = since.replace("since", "until")
    assert {group["pattern"] for group in await listed(api, f"?since={LONG_AGO}{until}")} == {"old", "both"}


async def test_a_group_shows_its_last_occurrences_and_a_traceback(api: Api) -> None:
    first = await fail(api, "order 1 is gone", retry=True)
    last = await fail(api, "order 2 is gone")
    (group,) = await listed(api)
    detail = (await api.call("GET", f"/errors/{group['fingerprint']}")).json
    assert detail["traceback"] == TRACE
    assert detail | {"trend": []} == detail | group | {"trend": []}
    shown = [(each["task_id"], each["outcome"], each["message"]) for each in detail["last_occurrences"]]
    assert shown == [(last, "failed", "order 2 is gone"), (first, "retry_scheduled", "order 1 is gone")]
    task = await api.call("GET", detail["last_occurrences"][0]["task"].removeprefix("/api/v1"))
    assert task.json["task_id"] == last
    limited = (await api.call("GET", f"/errors/{group['fingerprint']}?limit=1")).json
    assert len(limited["last_occurrences"]) == 1 and limited["occurrences"] == 2


async def test_an_old_failure_is_listed_only_when_asked_for(api: Api) -> None:
    await fail(api, "order 1 is gone", at=LONG_AGO)
    (group,) = await listed(api, "?since=2019-01-01")
    detail = (await api.call("GET", f"/errors/{group['fingerprint']}")).json
    assert (detail["state"], detail["occurrences"]) == ("quiet", 1)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/errors/e1-000000000000", 404),
        ("/errors?since=yesterday", 422),
        ("/errors?order=age", 422),
        ("/errors?state=closed", 422),
        ("/errors?cursor=nonsense", 422),
        ("/errors?limit=0", 422),
        ("/errors?until=2020-01-01", 422),
        ("/errors/x?since=2026-01-02&until=2026-01-01", 422),
        ("/errors/x?limit=0", 422),
        ("/errors?what=1", 422),
    ],
)
async def test_bad_input_is_told(api: Api, path: str, status: int) -> None:
    assert (await api.call("GET", path)).status == status


def annals(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DATABASE_URL": dsn, "ANNALS_ENV": "test"}
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30)


async def test_the_command_lists_groups_and_shows_one(api: Api, database: str) -> None:
    empty = annals(database, "errors")
    assert empty.stdout.startswith("No such errors since ")
    task_id = await fail(api, "order 17 is gone")
    heads, line = annals(database, "errors", "--type", "noop").stdout.splitlines()
    assert heads.split()[:4] == ["id", "state", "type", "error"]
    assert "order <n> is gone" in line and "billing/tasks.py:charge" in line
    (group,) = map(json.loads, annals(database, "errors", "--json").stdout.splitlines())
    assert group["last_task_id"] == task_id
    shown = annals(database, "errors", group["fingerprint"]).stdout
    assert TRACE in shown and task_id in shown
    (as_json,) = map(
        json.loads, annals(database, "errors", group["fingerprint"], "--json").stdout.splitlines()
    )
    assert as_json["last_occurrences"][0]["traceback"] == TRACE
    unknown = annals(database, "errors", "e1-none")
    assert unknown.returncode == 3 and "annals errors" in unknown.stderr
    assert annals(database, "errors", "--since", "soon").returncode == 2
    assert annals(database, "errors", "--since", "1h", "--until", "2h").returncode == 2


def test_a_terminal_shows_two_lines_for_each_group() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    shown = ErrorGroup(
        *("e1-0a1b2c3d4e5f", "charge", "KeyError", "<text>", "shop/tasks.py:charge", "new", 3, 1, 2, 1),
        *(1, at, 9, at, "task-1", 3, "'order-17'", (0, 1, 2)),
    )
    first, second = (text.plain for text in lines([shown]))
    assert first == (
        "● e1-0a1b2c3d4e5f  new      charge KeyError         3 in 1 task  ·▄█"
        "  2026-01-31 12:00:00 … 2026-01-31 12:00:00Z"
    )
    assert second == "│ <text>  shop/tasks.py:charge  e.g. 'order-17'"


@pytest.mark.parametrize(("trend", "line"), [((), ""), ((0, 0), "··"), ((1, 8, 0, 4), "▁█·▄"), ((1,), "█")])
def test_a_trend_is_drawn_relative_to_its_highest(trend: tuple[int, ...], line: str) -> None:
    assert sparkline(trend) == line


@pytest.mark.parametrize("kept", ["NULL", "'e1-000000000000'"], ids=["from before the column", "forged"])
async def test_a_fingerprint_that_the_log_contradicts_is_found_and_mended(
    api: Api, database: str, kept: str
) -> None:
    await fail(api, "order 17 is gone")
    (group,) = await listed(api)
    await api.sql(f"UPDATE task_attempts SET fingerprint = {kept}")
    found = annals(database, "audit", "verify", "--read-model", "task_attempts")
    assert found.returncode == 1 and "fingerprint" in found.stdout
    assert annals(database, "audit", "rebuild", "task_attempts").returncode == 0
    assert [each["fingerprint"] for each in await listed(api)] == [group["fingerprint"]]
    assert annals(database, "audit", "verify").returncode == 0
