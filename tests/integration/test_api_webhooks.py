"""Routes of webhooks: what became of them, sending them again, their endpoints and secrets."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api_server import Api, running
from tests.deliveries import HOOK, Post

ELSEWHERE = "https://elsewhere.example/in?token=secret"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


@pytest.fixture
def post(api: Api) -> Post:
    return Post(api.db)


async def listed(api: Api, query: str = "") -> list[str]:
    answer = await api.call("GET", f"/deliveries{query}")
    assert answer.status == 200, answer
    return [item["delivery_id"] for item in answer.json["items"]]


async def test_deliveries_are_listed_newest_first_page_by_page(api: Api, post: Post) -> None:
    ids = await post.end_tasks(5)
    first = await api.call("GET", "/deliveries?limit=2")
    second = await api.call("GET", f"/deliveries?limit=2&cursor={first.json['next']}")
    third = await api.call("GET", f"/deliveries?limit=2&cursor={second.json['next']}")
    pages = [item["delivery_id"] for page in (first, second, third) for item in page.json["items"]]
    assert pages == ids[::-1] and third.json["next"] is None
    newest = first.json["items"][0]
    assert (newest["status"], newest["sequence"], newest["attempts"]) == ("pending", 5, 0)
    assert (newest["event_type"], newest["correlation_id"]) == ("task.cancelled", "req-1")
    assert newest["created_at"].endswith("Z")


async def test_they_are_found_by_status_task_endpoint_and_time(api: Api, post: Post) -> None:
    one, two = await post.end_tasks(2)
    (three,) = await post.end_tasks(1, ELSEWHERE)
    await post.deliver(one)
    await post.give_up(two)
    assert await listed(api, "?status=pending") == [three]
    assert await listed(api, "?status=delivered&status=abandoned") == [two, one]
    assert await listed(api, "?endpoint=HTTPS://Elsewhere.example:443/in%3Fother=1") == [three]
    task_id = (await api.call("GET", f"/deliveries/{two}")).json["task_id"]
    assert await listed(api, f"?task_id={task_id}") == [two]
    assert await listed(api, "?from=2020-01-01") == [three, two, one]
    assert await listed(api, "?to=2020-01-01") == []


async def test_one_is_shown_with_its_attempts_and_the_body_that_is_sent(api: Api, post: Post) -> None:
    (delivery_id,) = await post.end_tasks()
    await post.fail(delivery_id)
    await post.fail(delivery_id, http_status=None, error="the connection was refused", next_delay_ms=2000)
    await post.deliver(delivery_id)
    shown = (await api.call("GET", f"/deliveries/{delivery_id}")).json
    assert (shown["status"], shown["attempts"], shown["http_status"]) == ("delivered", 3, 204)
    told = [
        (each["attempt"], each["delivered"], each["http_status"], each["error"], each["next_delay_ms"])
        for each in shown["tried"]
    ]
    assert told == [
        (1, False, 503, None, 1000),
        (2, False, None, "the connection was refused", 2000),
        (3, True, 204, None, None),
    ]
    assert shown["tried"][2]["latency_ms"] == 3.25 and shown["latency_ms"] == 3.2
    sent = await api.sql("SELECT webhook_body($1)", shown["event_position"])
    assert shown["body"] == sent and json.loads(sent)["task_id"] == shown["task_id"]
    assert {"webhook-id", "webhook-sequence", "X-Agent-Signature"} <= set(shown["headers"])


async def test_a_task_names_its_webhooks(api: Api, post: Post) -> None:
    (delivery_id,) = await post.end_tasks()
    await post.fail(delivery_id)
    task_id = (await api.call("GET", f"/deliveries/{delivery_id}")).json["task_id"]
    task = (await api.call("GET", f"/tasks/{task_id}")).json
    assert task["deliveries"] == [
        {
            "delivery_id": delivery_id,
            "status": "pending",
            "attempts": 1,
            "delivery": f"/api/v1/deliveries/{delivery_id}",
        }
    ]
    assert task["webhook_retry_count"] == 1
    assert (await api.call("GET", f"/tasks/{await api.enqueue()}")).json["deliveries"] == []


async def test_a_redelivery_keeps_id_and_number_and_starts_anew(api: Api, post: Post) -> None:
    first, second = await post.end_tasks(2)
    await post.give_up(first)
    await post.deliver(second)
    answer = await api.call("POST", f"/deliveries/{first}/redeliver", {"reason": "they are back"})
    assert (answer.status, answer.json["sequence"]) == (202, 1)
    assert int(answer.headers["X-Position"]) == await api.head()
    shown = (await api.call("GET", f"/deliveries/{first}")).json
    assert (shown["status"], shown["attempts"], shown["failures"], shown["redeliveries"]) == (
        "pending",
        1,
        0,
        1,
    )
    assert shown["reason"] == "they are back"
    actor = await api.sql("SELECT actor FROM events ORDER BY position DESC LIMIT 1")
    assert actor == "api:development"
    again = await api.call("POST", f"/deliveries/{first}/redeliver")
    assert again.status == 409 and "still being sent" in again.json["detail"]
    assert (await api.call("POST", "/deliveries/wh-none/redeliver")).status == 404
    await api.call("POST", "/webhooks/endpoints/disable", {"endpoint": HOOK})
    refused = await api.call("POST", f"/deliveries/{second}/redeliver")
    assert refused.status == 409 and "is disabled" in refused.json["detail"]


async def test_one_that_is_gone_from_the_list_is_sent_again_from_the_log(api: Api, post: Post) -> None:
    (delivery_id,) = await post.end_tasks()
    await post.deliver(delivery_id)
    # As retention leaves it: the row is gone, its stream is not.
    await api.sql("DELETE FROM webhook_deliveries")
    gone = await api.call("GET", f"/deliveries/{delivery_id}")
    assert gone.status == 404 and "stream=webhook" in str(gone.json)
    assert (await api.call("POST", f"/deliveries/{delivery_id}/redeliver")).status == 202
    shown = (await api.call("GET", f"/deliveries/{delivery_id}")).json
    assert (shown["status"], shown["sequence"], len(shown["tried"])) == ("pending", 1, 1)


async def test_a_replay_counts_first_then_sends_and_goes_on_where_it_stopped(api: Api, post: Post) -> None:
    ids = await post.end_tasks(5)
    await post.deliver(*ids[:4])
    (other,) = await post.end_tasks(1, ELSEWHERE)
    await post.deliver(other)
    wanted: dict[str, Any] = {"from": 0, "dry_run": True, "limit": 4}
    head = await api.head()
    dry = await api.call("POST", "/deliveries/replay", wanted)
    assert dry.status == 200 and await api.head() == head and "X-Position" not in dry.headers
    assert dry.json["counts"] == [{"endpoint": HOOK, "outcome": "requested", "deliveries": 4}]
    more = await api.call("POST", "/deliveries/replay", wanted | {"from": dry.json["next"]})
    assert more.json["counts"] == [
        {"endpoint": "https://elsewhere.example/in", "outcome": "requested", "deliveries": 1},
        {"endpoint": HOOK, "outcome": "pending", "deliveries": 1},
    ]
    assert more.json["next"] is None and more.json["to_position"] == head
    real = await api.call(
        "POST", "/deliveries/replay", {"from": 0, "dry_run": False, "endpoint": f"{HOOK}?x", "reason": "lost"}
    )
    assert sum(each["deliveries"] for each in real.json["counts"]) == 5
    assert int(real.headers["X-Position"]) == await api.head() == head + 4
    assert await listed(api, "?status=pending") == ids[::-1]
    assert await listed(api, "?status=delivered") == [other]


async def test_a_replay_takes_times_and_statuses(api: Api, post: Post) -> None:
    one, two = await post.end_tasks(2)
    await post.deliver(one)
    await post.give_up(two)
    now = await api.sql("SELECT clock_timestamp()")
    wanted = {"from": "2020-01-01T00:00:00Z", "to": now.isoformat(), "dry_run": False}
    done = await api.call("POST", "/deliveries/replay", wanted | {"statuses": ["abandoned"]})
    assert [each["deliveries"] for each in done.json["counts"]] == [1]
    assert await listed(api, "?status=pending") == [two]
    backwards = await api.call(
        "POST", "/deliveries/replay", {"from": now.isoformat(), "to": 0, "dry_run": True}
    )
    assert backwards.status == 422
    beyond = await api.call("POST", "/deliveries/replay", {"from": 0, "to": 10**9, "dry_run": True})
    assert beyond.status == 422


@pytest.mark.parametrize("path", ["redeliver", "replay", "pause", "rotate"])
async def test_a_write_with_an_idempotency_key_happens_once(api: Api, post: Post, path: str) -> None:
    (delivery_id,) = await post.end_tasks()
    await post.deliver(delivery_id)
    url, body = {
        "redeliver": (f"/deliveries/{delivery_id}/redeliver", {}),
        "replay": ("/deliveries/replay", {"from": 0, "dry_run": False}),
        "pause": ("/webhooks/endpoints/pause", {"endpoint": HOOK}),
        "rotate": ("/webhooks/secrets/rotate", {}),
    }[path]
    first = await api.call("POST", url, body, {"Idempotency-Key": "k-1"})
    head = await api.head()
    again = await api.call("POST", url, body, {"Idempotency-Key": "k-1"})
    assert first.status == again.status < 300 and await api.head() == head
    assert again.headers["X-Position"] == first.headers["X-Position"] == str(head)
    kept = await api.sql("SELECT result::text FROM idempotency_keys")
    if path == "rotate":
        assert first.json["secret"].startswith("whsec_") and again.json["secret"] is None
        assert "whsec_" not in kept
    else:
        assert again.json == first.json


async def test_endpoints_tell_what_waits_and_what_failed(api: Api, post: Post) -> None:
    one, two, _ = await post.end_tasks(3)
    await post.deliver(one)
    await post.fail(two)
    await post.end_tasks(1, ELSEWHERE)
    changed = await api.call("POST", "/webhooks/endpoints/pause", {"endpoint": HOOK, "reason": "they deploy"})
    assert changed.json == {"endpoint": HOOK, "status": "paused", "changed": True}
    waiting = (await api.call("GET", f"/deliveries?endpoint={HOOK}&status=pending")).json["items"]
    assert {each["endpoint_status"] for each in waiting} == {"paused"}
    elsewhere, hook = (await api.call("GET", "/webhooks/endpoints")).json["items"]
    assert (hook["endpoint"], hook["status"], hook["reason"]) == (HOOK, "paused", "they deploy")
    assert (hook["pending"], hook["last_sequence"], hook["failures_last_hour"]) == (2, 3, 1)
    assert hook["last_delivered_at"].endswith("Z") and 0 <= hook["waiting_seconds"] < 600
    assert (elsewhere["endpoint"], elsewhere["status"]) == ("https://elsewhere.example/in", "active")
    assert (elsewhere["pending"], elsewhere["last_delivered_at"], elsewhere["changed_at"]) == (1, None, None)


async def test_endpoints_are_paused_resumed_and_disabled(api: Api, post: Post) -> None:
    for verb, status in (("pause", "paused"), ("resume", "active"), ("disable", "disabled")):
        answer = await api.call("POST", f"/webhooks/endpoints/{verb}", {"endpoint": f"{HOOK}?x=1"})
        assert (answer.json["status"], answer.json["changed"]) == (status, True)
        same = await api.call("POST", f"/webhooks/endpoints/{verb}", {"endpoint": HOOK})
        assert same.json["changed"] is False and "X-Position" not in same.headers
    (skipped,) = await post.end_tasks()
    shown = (await api.call("GET", f"/deliveries/{skipped}")).json
    assert (shown["status"], shown["sequence"]) == ("skipped", None)


async def test_a_secret_is_told_once_and_listed_without_being_told(api: Api) -> None:
    first = await api.call("POST", "/webhooks/secrets/rotate", {"reason": "first"})
    second = await api.call(
        "POST", "/webhooks/secrets/rotate", {"scope": f"endpoint:{HOOK}", "overlap_seconds": 60}
    )
    third = await api.call("POST", "/webhooks/secrets/rotate")
    assert len({answer.json["secret"] for answer in (first, second, third)}) == 3
    assert second.json["scope"] == f"endpoint:{HOOK}"
    shown = await api.call("GET", "/webhooks/secrets")
    assert [(one["scope"], one["expires_at"] is None) for one in shown.json["items"]] == [
        ("default", True),
        ("default", False),
        (f"endpoint:{HOOK}", True),
    ]
    assert "whsec_" not in str(shown.json)
    assert await api.sql("SELECT count(*) FROM events WHERE data::text LIKE '%whsec%'") == 0
    signing = await api.db.fetch("SELECT signing_secrets('https://other.example/')")
    assert [row[0] for row in signing] == [third.json["secret"], first.json["secret"]]


async def test_who_may_only_read_changes_nothing(api: Api, post: Post) -> None:
    (delivery_id,) = await post.end_tasks()
    await post.deliver(delivery_id)
    for scopes, key in ((["read"], "reader"), (["read", "write"], "writer")):
        digest = hashlib.sha256(key.encode()).digest()
        await api.sql("SELECT create_key($1, $2, $3)", key, digest, scopes)
    writes: list[tuple[str, Any]] = [
        (f"/deliveries/{delivery_id}/redeliver", None),
        ("/deliveries/replay", {"from": 0, "dry_run": True}),
    ]
    admin = [("/webhooks/secrets/rotate", None)]
    admin += [(f"/webhooks/endpoints/{verb}", {"endpoint": HOOK}) for verb in ("pause", "resume", "disable")]
    for key, allowed in (("reader", []), ("writer", writes)):
        assert (await api.call("GET", "/deliveries", headers={"X-API-Key": key})).status == 200
        for path, body in [*writes, *admin]:
            answer = await api.call("POST", path, body, {"X-API-Key": key})
            assert (answer.status == 403) == ((path, body) not in allowed), (key, path, answer)
