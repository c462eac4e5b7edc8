"""AC-9 to AC-11: a webhook that arrives, one that is sent again, and one that is given up."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.acceptance.running import Service, service
from tests.receiving import Hit, Receiver, receiving

EVENTS = """
    SELECT type, data, recorded_at FROM events
    WHERE stream_type = 'webhook' AND data ->> 'task_id' = $1 ORDER BY position
"""
DEFAULT_SECRET = "SELECT secret FROM webhook_secrets WHERE scope = 'default' AND expires_at IS NULL"


@pytest.fixture
async def annals(database: str) -> AsyncIterator[Service]:
    async with service(database) as running:
        await running.start_worker()
        await running.start_relay()
        yield running


def unavailable(times: int) -> Callable[[Hit], Awaitable[web.Response]]:
    """503 so many times, then 200."""
    answered = 0

    async def answer(_: Hit) -> web.Response:
        nonlocal answered
        answered += 1
        return web.json_response({"error": "Service unavailable"}, status=503 if answered <= times else 200)

    return answer


async def refresh(annals: Service, receiver: Receiver) -> tuple[str, dict[str, Any]]:
    """A coverage refresh that tells the receiver of its end; the agent, and the task once it has ended."""
    world = annals.world
    nodes = await world.add_nodes(2)
    await world.add_documents([{nodes[0]: 0.9}] * 5)
    agent_id = await world.add_agent(nodes)
    task = await world.refresh(agent_id, webhook_url=f"{receiver.url}/test-webhook")
    return agent_id, await world.until_ended(agent_id, task["task_id"])


async def test_ac9_webhook_delivery_success(annals: Service) -> None:
    async with receiving() as receiver:
        agent_id, task = await refresh(annals, receiver)
        (hit,) = await receiver.arrived(1)
        await annals.until_type("webhook.delivered")

    told = hit.told
    assert list(told) == [
        *("task_id", "agent_id", "task_type", "status", "result", "error", "completed_at", "position")
    ]
    assert (told["task_id"], told["agent_id"]) == (task["task_id"], agent_id)
    assert (told["task_type"], told["status"], told["error"]) == ("coverage_refresh", "completed", None)
    row = await annals.row(task["task_id"])
    assert told["result"] == task["result"] == json.loads(row["result"])
    assert told["position"] == row["changed_position"] and told["completed_at"].endswith("Z")
    assert row["status"] == "completed" and row["webhook_retry_count"] == 0
    secret = await annals.psql.fetchval(DEFAULT_SECRET)
    assert Webhook(secret).verify(hit.body, hit.headers) == told
    assert hit.sequence == 1 and hit.headers["x-agent-signature"].startswith("sha256=")


async def test_ac10_webhook_retry_exponential_backoff(annals: Service) -> None:
    async with receiving(unavailable(times=2)) as receiver:
        _, task = await refresh(annals, receiver)
        hits = await receiver.arrived(3)
        await annals.until_type("webhook.delivered")

    requested, first, second, delivered = await annals.psql.fetch(EVENTS, task["task_id"])
    kinds = [event["type"] for event in (requested, first, second, delivered)]
    assert kinds == ["webhook.requested", *["webhook.attempt_failed"] * 2, "webhook.delivered"]
    assert [json.loads(event["data"])["next_delay_ms"] for event in (first, second)] == [1000, 2000]
    assert (second["recorded_at"] - first["recorded_at"]).total_seconds() >= 1
    assert (delivered["recorded_at"] - second["recorded_at"]).total_seconds() >= 2
    assert len({hit.delivery_id for hit in hits}) == len({hit.body for hit in hits}) == 1 and len(hits) == 3
    row = await annals.row(task["task_id"])
    assert row["webhook_retry_count"] == 2 and row["status"] == "completed"


async def test_ac11_webhook_failure_max_retries(database: str, tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    async with service(database) as annals, receiving(unavailable(times=99)) as receiver:
        await annals.start_worker()
        await annals.start_relay(log)
        _, task = await refresh(annals, receiver)
        await annals.until_type("webhook.abandoned")
        row = await annals.row(task["task_id"])
        told = await annals.psql.fetch(EVENTS, task["task_id"])
        assert len(receiver.hits) == 3

    assert row["status"] == "completed" and row["webhook_retry_count"] == 3
    assert [event["type"] for event in told[1:]] == ["webhook.attempt_failed"] * 3 + ["webhook.abandoned"]
    assert "next_delay_ms" not in json.loads(told[3]["data"]), "no wait after the last"
    (line,) = (found for found in map(json.loads, log.read_text().splitlines()) if found["level"] == "error")
    assert line["message"] == "Webhook failed after 3 retries"
    assert (line["task_id"], line["url"]) == (task["task_id"], f"{receiver.url}/test-webhook")
