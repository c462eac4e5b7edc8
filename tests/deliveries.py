"""Webhooks in any state, made by the functions that production uses; nothing is sent."""

import json
from typing import Any

import asyncpg

from service.store.fleet import FleetStore
from service.store.pool import Database

HOOK = "https://example.com/hook"
FAILED = {"http_status": 503, "latency_ms": 12.5, "next_delay_ms": 1000}
REQUEST = """
    SELECT delivery_id FROM request_webhooks(
        ARRAY(SELECT webhook_ends($1, (SELECT coalesce(max(position), 0) FROM events))), ring => false)
"""


class Post:
    """The follower's part and the sender's, by hand."""

    def __init__(self, db: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.db = db

    async def catalogue(self, dsn: str, settings: Any) -> None:
        """A task type to enqueue."""
        async with await Database.open(settings, dsn) as db:
            await FleetStore(db).publish_task_types([{"task_type": "noop", "code_version": "1"}])

    async def end_tasks(self, number: int = 1, url: str = HOOK) -> list[str]:
        """Tasks that end now; gives the ids of their webhooks."""
        before = await self.db.fetchval("SELECT coalesce(max(position), 0) FROM events")
        for _ in range(number):
            task_id = await self.db.fetchval(
                "SELECT enqueue_task('noop', webhook_url => $1, correlation_id => 'req-1')", url
            )
            await self.db.fetch("SELECT cancel_task($1, 'over')", task_id)
        return [row[0] for row in await self.db.fetch(REQUEST, before)]

    async def attempt(self, delivery_id: str, outcome: str, **detail: Any) -> None:
        """Record one attempt, as the relay that leads."""
        term = await self.db.fetchval("SELECT leads_term FROM lead_relay('r-1', 'host', 1, NULL, 600)")
        term = term or await self.db.fetchval("SELECT term FROM relay_lease")
        made = await self.db.fetchval(
            "SELECT attempts FROM webhook_deliveries WHERE delivery_id = $1", delivery_id
        )
        told = await self.db.fetchval(
            "SELECT outcome FROM end_delivery_attempts(ARRAY[$1], ARRAY[$2::int], ARRAY[$3],"
            " ARRAY[$4::jsonb], 'r-1', $5)",
            *(delivery_id, made + 1, outcome, json.dumps(detail), term),
        )
        assert told == "recorded", told

    async def fail(self, delivery_id: str, **detail: Any) -> None:
        """One failed attempt that is not the last."""
        await self.attempt(delivery_id, "failed", **(FAILED | detail))

    async def deliver(self, *delivery_ids: str) -> None:
        """A good attempt of each."""
        for delivery_id in delivery_ids:
            await self.attempt(delivery_id, "delivered", http_status=204, latency_ms=3.25)

    async def give_up(self, delivery_id: str) -> None:
        """Its last attempt fails."""
        await self.attempt(delivery_id, "failed", http_status=503, latency_ms=1, reason="no attempt is left")
