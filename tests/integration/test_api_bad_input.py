"""Whatever is wrong with a request is said clearly, and nothing is written."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.api.app import ROUTES
from service.api.routing import Request, Route
from service.errors import Invalid
from tests.api_server import Api, running

TASK = {"task_type": "noop"}


@pytest.fixture
async def api(shared_database: str) -> AsyncIterator[Api]:
    async with running(shared_database, api__max_body_bytes=300_000) as api:
        yield api


def deep(levels: int) -> bytes:
    return b'{"task_type":"noop","params":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


BAD: list[tuple[str, str, Any, int, str]] = [
    # method, path, body, status, what the answer must say
    ("POST", "/tasks", b"", 422, "not JSON"),
    ("POST", "/tasks", b"{", 422, "not JSON"),
    ("POST", "/tasks", b"\xff", 422, "not JSON"),
    ("POST", "/tasks", b"[]", 422, "object"),
    ("POST", "/tasks", b"null", 422, "object"),
    ("POST", "/tasks", {}, 422, "body.task_type"),
    ("POST", "/tasks", {"task_type": None}, 422, "body.task_type"),
    ("POST", "/tasks", {"task_type": "no such type"}, 422, "unknown task_type"),
    ("POST", "/tasks", TASK | {"prioritty": 1}, 422, "body.prioritty: There is no such field"),
    ("POST", "/tasks", TASK | {"priority": 0}, 422, "greater than or equal to 1"),
    ("POST", "/tasks", TASK | {"priority": "5"}, 422, "body.priority"),
    ("POST", "/tasks", TASK | {"priority": 10**30}, 422, "body.priority"),
    ("POST", "/tasks", TASK | {"params": []}, 422, "body.params"),
    (
        "POST",
        "/tasks",
        b'{"task_type":"noop","params":{"a":NaN}}',
        422,
        "body.params.a: Numbers must be finite",
    ),
    ("POST", "/tasks", b'{"task_type":"noop","params":{"a":[1e400]}}', 422, "body.params.a.0"),
    ("POST", "/tasks", b'{"task_type":"noop","params":{"a":"\\u0000"}}', 422, "the character NUL"),
    ("POST", "/tasks", b'{"task_type":"noop","params":{"a\\u0000":1}}', 422, "the character NUL"),
    ("POST", "/tasks", b'{"task_type":"noop","params":{"a":"\\ud800"}}', 422, "not JSON"),
    ("POST", "/tasks", deep(300), 422, "recursion"),
    ("POST", "/tasks", TASK | {"params": {"a": "x" * 290_000}}, 413, "262144"),
    ("POST", "/tasks", TASK | {"params": {"a": "x" * 300_000}}, 413, "too big"),
    ("POST", "/tasks", TASK | {"run_at": "tomorrow"}, 422, "body.run_at"),
    ("POST", "/tasks", TASK | {"timeout_seconds": 0}, 422, "body.timeout_seconds"),
    ("POST", "/tasks", TASK | {"max_attempts": 0}, 422, "body.max_attempts"),
    ("POST", "/tasks", TASK | {"backoff": {"kind": "whim"}}, 422, "backoff"),
    ("POST", "/tasks", TASK | {"queue": "a b"}, 422, "body.queue"),
    ("POST", "/tasks", TASK | {"task_id": "a b"}, 422, "body.task_id"),
    ("POST", "/tasks", TASK | {"unique_key": ""}, 422, "body.unique_key"),
    ("POST", "/tasks", TASK | {"unique_states": ["open"]}, 422, "body.unique_states.0"),
    ("POST", "/tasks", TASK | {"webhook_url": "ftp://a.b/c"}, 422, "Bad webhook_url: use https"),
    ("POST", "/tasks", TASK | {"webhook_url": "https://10.0.0.1/"}, 422, "not on the public internet"),
    ("POST", "/tasks", TASK | {"webhook_url": "https://1.1.1.1:/hook"}, 422, "without a user"),
    ("POST", "/tasks/bulk", {"tasks": [TASK, TASK | {"webhook_url": "http://a.b"}]}, 422, "Bad webhook_url"),
    ("POST", "/tasks?dry=1", TASK, 422, "query.dry"),
    ("POST", "/tasks/bulk", {"tasks": []}, 422, "body.tasks"),
    ("POST", "/tasks/bulk", {"tasks": [TASK, {"task_type": 1}]}, 422, "body.tasks.1.task_type"),
    ("POST", "/tasks/bulk", {"tasks": [TASK, TASK | {"queue": "x" * 101}]}, 422, "body.tasks.1.queue"),
    ("POST", "/tasks/bulk", {"tasks": [TASK] * 5001}, 422, "5000"),
    ("POST", "/tasks/bulk", {"tasks": [TASK | {"task_id": "x"}] * 2}, 409, "exists already"),
    ("GET", "/tasks?limit=0", None, 422, "query.limit"),
    ("GET", "/tasks?limit=ten", None, 422, "query.limit"),
    ("GET", "/tasks?limit=1&limit=2", None, 422, "query.limit: Give this once"),
    ("GET", "/tasks?status=open", None, 422, "query.status.0"),
    ("GET", "/tasks?statuss=failed", None, 422, "query.statuss"),
    ("GET", "/tasks?text=%00", None, 422, "the character NUL"),
    ("GET", "/tasks?from=yesterday", None, 422, "query.from"),
    ("GET", "/tasks?cursor=made-up", None, 422, "cursor"),
    ("GET", "/tasks?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwxXQ", None, 422, "cursor"),
    ("GET", "/tasks/%00", None, 422, "the character NUL"),
    ("GET", f"/tasks/{'x' * 201}", None, 422, "path.task_id"),
    ("GET", "/tasks/x/events?after=-1", None, 422, "query.after"),
    ("DELETE", "/tasks/x", {"why": 1}, 422, "takes no body"),
    ("DELETE", "/tasks/x?force=1", None, 422, "takes no query"),
    ("POST", "/tasks/x/retry", {"why": 1}, 422, "body.why"),
    ("GET", "/events?after=x", None, 422, "not a cursor"),
    ("GET", "/events?after=99999999999999999999", None, 422, "not a cursor"),
    ("GET", "/events?after=999999999999", None, 410, "another log"),
    ("GET", "/events?after=00000000-0000-4000-8000-000000000000:0", None, 410, "another log"),
    ("GET", "/events?type=%3B", None, 422, "not an event type"),
    ("GET", "/events?stream=/", None, 422, "not a stream"),
    ("GET", "/events/stream?after=x", None, 422, "not a cursor"),
    ("POST", "/stream-tickets", {"for": "me"}, 422, "takes no body"),
    ("GET", "/task-types?x", None, 422, "takes no query"),
    ("GET", "/workers?live=maybe", None, 422, "query.live"),
    ("GET", "/queues?x=1", None, 422, "query.x"),
    ("POST", "/queues/a%20b/pause", None, 422, "path.queue"),
    ("POST", "/queues/a/pause", {"reason": 1}, 422, "body.reason"),
    ("POST", "/queues/a/resume", {"reason": "x" * 1001}, 422, "body.reason"),
    ("GET", "/queues?at=soon", None, 422, "query.at"),
    ("GET", "/tasks/x/biography?until=soon", None, 422, "query.until"),
    ("GET", "/tasks/x/biography", None, 404, "Task not found: x"),
    ("GET", "/tasks/x/why?now=1", None, 422, "takes no query"),
    ("GET", "/tasks/x/why", None, 404, "x"),
    ("GET", "/errors?order=colour", None, 422, "query.order"),
    ("GET", "/errors/x?y=1", None, 422, "query"),
    ("GET", "/log/diff?from=x", None, 422, "query.from"),
    ("GET", "/schedules?x=1", None, 422, "takes no query"),
    ("GET", "/schedules/none", None, 404, "none"),
    ("PUT", "/schedules/a", {"cron": "every day"}, 422, "body.task_type"),
    ("PUT", "/schedules/a", {"cron": "every day", "task_type": "noop"}, 422, "instead of five"),
    ("DELETE", "/schedules/none", None, 404, "none"),
    ("POST", "/schedules/none/fire", None, 404, "none"),
    ("GET", "/deliveries?status=lost", None, 422, "query.status.0"),
    ("GET", "/deliveries?endpoint=ftp://a.b", None, 422, "query.endpoint"),
    ("GET", "/deliveries?cursor=made-up", None, 422, "cursor"),
    ("GET", "/deliveries?from=yesterday", None, 422, "query.from"),
    ("GET", "/deliveries/wh-none", None, 404, "Delivery not found: wh-none"),
    ("POST", "/deliveries/wh-none/redeliver", None, 404, "Delivery not found: wh-none"),
    ("POST", "/deliveries/wh-none/redeliver", {"why": 1}, 422, "body.why"),
    ("POST", "/deliveries/replay", {"dry_run": True}, 422, "body.from"),
    ("POST", "/deliveries/replay", {"from": 0}, 422, "body.dry_run"),
    ("POST", "/deliveries/replay", {"from": "soon", "dry_run": True}, 422, "neither a position"),
    ("POST", "/deliveries/replay", {"from": True, "dry_run": True}, 422, "neither a position"),
    ("POST", "/deliveries/replay", {"from": -1, "dry_run": True}, 422, "neither a position"),
    ("POST", "/deliveries/replay", {"from": 10**12, "dry_run": True}, 422, "has no position"),
    ("POST", "/deliveries/replay", {"from": 10**30, "dry_run": True}, 422, "does not fit"),
    ("POST", "/deliveries/replay", {"from": 0, "dry_run": True, "statuses": ["pending"]}, 422, "statuses"),
    ("POST", "/deliveries/replay", {"from": 0, "dry_run": True, "limit": 1001}, 422, "body.limit"),
    ("GET", "/webhooks/endpoints?x=1", None, 422, "takes no query"),
    ("POST", "/webhooks/endpoints/pause", {}, 422, "body.endpoint"),
    ("POST", "/webhooks/endpoints/pause", {"endpoint": "https://a:b@c.d/"}, 422, "http(s) URL"),
    ("POST", "/webhooks/endpoints/resume", {"endpoint": "example.com"}, 422, "body.endpoint"),
    ("POST", "/webhooks/endpoints/disable", {"endpoint": 1}, 422, "body.endpoint"),
    ("GET", "/webhooks/secrets?x=1", None, 422, "takes no query"),
    ("POST", "/webhooks/secrets/rotate", {"scope": "mine"}, 422, "body.scope"),
    ("POST", "/webhooks/secrets/rotate", {"scope": "key:nobody"}, 422, "no such scope"),
    ("POST", "/webhooks/secrets/rotate", {"scope": "endpoint:a"}, 422, "no such scope"),
    ("POST", "/webhooks/secrets/rotate", {"overlap_seconds": -1}, 422, "body.overlap_seconds"),
    ("GET", "/nothing", None, 404, "no such path"),
    ("PUT", "/tasks", None, 405, "GET,HEAD,POST"),
    ("GET", "/healthz?x=1", None, 422, "takes no query"),
    ("GET", "/readyz?x=1", None, 422, "takes no query"),
    ("GET", "/metrics?x=1", None, 422, "takes no query"),
    ("GET", "/status?x=1", None, 422, "takes no query"),
    ("GET", "/retention?x=1", None, 422, "takes no query"),
    ("POST", "/retention/run", {"what": "nope", "dry_run": True}, 422, "what"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "says"), BAD, ids=lambda value: str(value)[:40])
async def test_bad_input_is_refused_and_nothing_is_written(
    api: Api, method: str, path: str, body: Any, status: int, says: str
) -> None:
    before = await api.head()
    path = path if path.startswith(("/healthz", "/readyz", "/metrics")) else f"/api/v1{path}"
    answer = await api.call(method, path.removeprefix("/api/v1"), body)
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert says in json.dumps(answer.json), answer.json
    assert {"type", "title", "status", "detail", "request_id"} <= set(answer.json)
    assert answer.headers["X-Request-ID"] == answer.json["request_id"]
    assert await api.head() == before


def test_every_route_is_asked_for_badly() -> None:
    asked = {(method, path.split("?")[0]) for method, path, *_ in BAD}

    def fits(route: Route, method: str, path: str) -> bool:
        parts, given = route.path.removeprefix("/api/v1").split("/"), path.split("/")
        same = len(parts) == len(given) and all(
            a == b or a.startswith("{") for a, b in zip(parts, given, strict=True)
        )
        return route.method == method and same

    for route in ROUTES:
        assert any(fits(route, *each) for each in asked), route.name


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "käse"])
async def test_an_idempotency_key_that_is_none_is_refused(api: Api, key: str) -> None:
    answer = await api.call("POST", "/tasks", TASK, {"Idempotency-Key": key})
    assert answer.status == 422 and "Idempotency-Key" in answer.json["detail"]


async def test_a_body_that_cannot_be_decoded_is_refused(api: Api) -> None:
    answer = await api.call("POST", "/tasks", b"not gzip", {"Content-Encoding": "gzip"})
    assert answer.status == 422 and "cannot be decoded" in answer.json["detail"]


async def test_a_body_is_measured_after_it_was_inflated(api: Api) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    answer = await api.call("POST", "/tasks", bomb, {"Content-Encoding": "gzip"})
    assert answer.status == 413


async def test_head_is_get_without_the_body(api: Api) -> None:
    answer = await api.call("HEAD", "/tasks")
    assert (answer.status, answer.json) == (200, None) and int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("given", ["", "with blank", "x" * 201])
async def test_a_request_id_that_is_none_is_replaced(api: Api, given: str) -> None:
    answer = await api.call("GET", "/tasks", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"].startswith("req-")


async def test_a_trace_is_kept_when_it_is_well_formed(database: str) -> None:
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with running(database) as api:
        for given, kept in [(good, good), (good.upper(), None), ("00-" + "0" * 32 + good[35:], None)]:
            await api.call("POST", "/tasks", TASK, {"traceparent": given})
            assert await api.sql("SELECT trace FROM events WHERE position = $1", await api.head()) == kept


async def slow(_: Request[None, None, None]) -> None:
    await asyncio.Event().wait()


async def broken(_: Request[None, None, None]) -> None:
    raise RuntimeError("SELECT secret FROM /etc/passwd")


async def refused(_: Request[None, None, None]) -> None:
    raise Invalid("This does not fit.", hint="Make it fit.")


ODD = [
    Route("GET", "/api/v1/slow", slow, summary="Never ends"),
    Route("GET", "/api/v1/broken", broken, summary="Fails"),
    Route("GET", "/api/v1/refused", refused, summary="Refuses"),
]


async def test_what_nobody_expected_tells_nothing_of_itself(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(database, ODD) as api:
        answer = await api.call("GET", "/broken")
        assert answer.status == 500
        assert "secret" not in json.dumps(answer.json) and "RuntimeError" not in json.dumps(answer.json)
        (record,) = [record for record in caplog.records if record.message == "request failed"]
        assert record.exc_info and vars(record)["fields"]["request_id"] == answer.json["request_id"]
        refusal = await api.call("GET", "/refused")
        assert (refusal.json["detail"], refusal.json["hint"]) == ("This does not fit.", "Make it fit.")


async def test_a_request_that_takes_too_long_is_given_up(database: str) -> None:
    async with running(database, ODD, api__request_timeout_seconds=0.05) as api:
        answer = await api.call("GET", "/slow")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert "longer than 0.05 seconds" in answer.json["detail"]


async def test_a_route_given_twice_is_refused(database: str) -> None:
    with pytest.raises(ValueError, match="GET /api/v1/slow"):
        async with running(database, [*ODD, ODD[0]]):
            pass
