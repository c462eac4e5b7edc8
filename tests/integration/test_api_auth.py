"""Keys, scopes and stream tickets."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from service.api import tickets
from tests.api_server import Api, running

INVALID = "Invalid or missing API key"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def make_key(
    api: Api, name: str, scopes: list[str], expires_at: datetime | None = None
) -> dict[str, str]:
    digest = hashlib.sha256(name.encode()).digest()
    await api.sql("SELECT create_key($1, $2, $3, $4)", name, digest, scopes, expires_at)
    return {"X-API-Key": name}


@pytest.mark.parametrize(
    "headers",
    [{"X-API-Key": ""}, {"X-API-Key": "guessed"}, {"X-API-Key": "", "Authorization": "Basic dGVzdC1rZXk="}],
)
async def test_without_a_valid_key_nothing_is_told(api: Api, headers: dict[str, str]) -> None:
    answer = await api.call("GET", "/tasks", headers=headers)
    assert (answer.status, answer.json["detail"]) == (401, INVALID)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_key_may_come_as_a_bearer_token(api: Api) -> None:
    headers = {"X-API-Key": "", "Authorization": "Bearer test-key"}
    assert (await api.call("GET", "/tasks", headers=headers)).status == 200


async def test_a_scope_includes_those_before_it(api: Api) -> None:
    allowed = {"read": 200, "write": 202, "admin": 200}
    for scope, statuses in [
        ("read", [200, 403, 403]),
        ("write", [200, 202, 403]),
        ("admin", [200, 202, 200]),
    ]:
        key = await make_key(api, scope, [scope])
        answers = [
            await api.call("GET", "/tasks", headers=key),
            await api.call("POST", "/tasks", {"task_type": "noop"}, key),
            await api.call("POST", "/queues/default/pause", headers=key),
        ]
        assert [answer.status for answer in answers] == statuses, scope
        for needed, answer in zip(allowed, answers, strict=True):
            if answer.status == 403:
                assert f"the scope {needed}" in answer.json["detail"]


async def test_a_write_is_logged_under_the_name_of_its_key(api: Api) -> None:
    key = await make_key(api, "ci", ["write"])
    await api.call("POST", "/tasks", {"task_type": "noop"}, key)
    assert await api.sql("SELECT actor FROM events WHERE position = $1", await api.head()) == "api:ci"


async def test_an_expired_key_is_no_key(api: Api) -> None:
    soon = datetime.now(UTC) - timedelta(seconds=1)
    key = await make_key(api, "old", ["read"], soon)
    assert (await api.call("GET", "/tasks", headers=key)).json["detail"] == INVALID


async def test_a_revoked_key_is_no_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.auth.CACHE_SECONDS", 0.0)
    key = await make_key(api, "leaked", ["read"])
    assert (await api.call("GET", "/tasks", headers=key)).status == 200
    await api.sql("SELECT revoke_key('leaked')")
    assert (await api.call("GET", "/tasks", headers=key)).status == 401


async def test_without_authentication_everybody_may_do_everything(database: str) -> None:
    async with running(database, api__auth_required=False) as api:
        nobody = {"X-API-Key": ""}
        assert (await api.call("POST", "/queues/default/pause", headers=nobody)).status == 200
        assert (await api.call("GET", "/tasks", headers={"X-API-Key": "wrong"})).status == 401
        assert (
            await api.sql("SELECT actor FROM events WHERE position = $1", await api.head()) == "api:anonymous"
        )


async def test_health_needs_a_key_when_configured_so(database: str) -> None:
    async with running(database, api__public_paths=[]) as api:
        assert (await api.call("GET", "/healthz", headers={"X-API-Key": ""})).status == 401
        assert (await api.call("GET", "/healthz")).status == 200


async def opens(api: Api, ticket: str) -> int:
    url = f"{api.url}/api/v1/events/stream?ticket={ticket}"
    async with api.http.get(url) as response:
        return response.status


async def test_a_ticket_opens_streams_and_nothing_else(api: Api) -> None:
    key = await make_key(api, "browser.1", ["read"])
    for headers in (None, key):
        ticket = (await api.call("POST", "/stream-tickets", headers=headers)).json["ticket"]
        assert await opens(api, ticket) == 200
        answer = await api.call("GET", f"/tasks?ticket={ticket}", headers={"X-API-Key": ""})
        assert answer.status == 401


async def test_a_ticket_that_is_over_forged_or_of_a_revoked_key_opens_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(api, "browser", ["read"])
    ticket = (await api.call("POST", "/stream-tickets", headers=key)).json["ticket"]
    name, expiry, signature = ticket.rsplit(".", 2)
    for forged in (
        f"development.{expiry}.{signature}",
        f"{name}.{int(expiry) + 1}.{signature}",
        "x",
        "a.b.c",
        ".",
    ):
        assert await opens(api, forged) == 401, forged
    monkeypatch.setattr(tickets.time, "time", lambda: int(expiry) + 1)
    assert await opens(api, ticket) == 401
    monkeypatch.undo()
    assert await opens(api, ticket) == 200
    await api.sql("SELECT revoke_key('browser')")
    assert await opens(api, ticket) == 401
