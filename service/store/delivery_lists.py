"""Webhooks as people look at them: deliveries with their attempts, and the endpoints they go to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.store.paging import Page, decode_cursor, encode_cursor
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
STATUSES = ("pending", "delivered", "abandoned", "skipped")
HEADERS = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "webhook-sequence",
    "X-Agent-Signature",
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of webhook_deliveries; `error`, `http_status` and `latency_ms` are those of the last attempt."""

    delivery_id: str
    task_id: str
    task_type: str
    event_type: str
    event_position: int
    requested_position: int
    url: str
    endpoint: str
    sequence: int | None
    status: str
    attempts: int
    failures: int
    redeliveries: int
    next_attempt_at: datetime | None
    http_status: int | None
    error: str | None
    latency_ms: float | None
    reason: str | None
    created_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    api_key: str | None
    correlation_id: str | None
    endpoint_status: str

    @property
    def trouble(self) -> str:
        """Why it is not delivered, as far as is known; empty when it is, or nothing went wrong."""
        if self.status != "pending":
            return "" if self.status == "delivered" else self.reason or ""
        endpoint = "" if self.endpoint_status == "active" else f"its endpoint is {self.endpoint_status}"
        answer = f"HTTP {self.http_status}" if self.http_status else ""
        return ", ".join(part for part in (endpoint, answer, self.error) if part)


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One request that was made; `next_delay_ms` is None after the last, and after a delivered one."""

    attempt: int
    at: datetime
    delivered: bool
    http_status: int | None
    error: str | None
    latency_ms: float | None
    next_delay_ms: float | None
    probe: bool
    position: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that was ever sent to, or changed; `waiting_seconds`: age of the oldest pending one."""

    endpoint: str
    status: str
    reason: str | None
    changed_at: datetime | None
    pending: int
    waiting_seconds: float | None
    last_delivered_at: datetime | None
    last_sequence: int
    failures_last_hour: int


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; None does not restrict. Created at `since` or later, and before `until`."""

    statuses: Sequence[str] | None = None
    task_id: str | None = None
    endpoint: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class DeliveryLists:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def list(
        self, only: DeliveryFilter = DeliveryFilter(), *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Deliveries, newest first; `cursor` is the `next` of the page before. Raises Invalid."""
        (before,) = decode_cursor(cursor, int) if cursor else (None,)
        rows = await self._db.fetch_planned(
            SQL.list_deliveries,
            *(only.statuses, only.task_id, only.endpoint, only.since, only.until, before, limit + 1),
        )
        found = [Delivery(*row) for row in rows[:limit]]
        return Page(found, encode_cursor(found[-1].requested_position) if len(rows) > limit else None)

    async def get(self, delivery_id: str) -> Delivery | None:
        """One delivery; None when there is none, or its row is gone."""
        row = await self._db.fetchrow(SQL.delivery, delivery_id)
        return Delivery(*row) if row else None

    async def attempts(self, delivery_id: str, limit: int = 1000) -> Sequence[DeliveryAttempt]:
        """What was tried, first to last, from its stream; of more than `limit` the last ones."""
        rows = await self._db.fetch(SQL.delivery_attempts, delivery_id, limit)
        return [DeliveryAttempt(*row) for row in rows]

    async def endpoints(self) -> Sequence[Endpoint]:
        """All endpoints, by name."""
        return [Endpoint(*row) for row in await self._db.fetch(SQL.list_endpoints)]

    async def body(self, delivery: Delivery) -> str | None:
        """What is sent, exactly; None when the log does not hold the event any more."""
        found: str | None = await self._db.fetchval(SQL.webhook_body, delivery.event_position)
        return found

    async def endpoint_of(self, url: str) -> str | None:
        """The endpoint of a URL: normalised, without its query; None for what is no URL."""
        found: str | None = await self._db.fetchval(SQL.endpoint_of, url)
        return found
