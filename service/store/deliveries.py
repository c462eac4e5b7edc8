"""Webhooks: deliveries, their endpoints, the secrets that sign them. Sending them is the relay's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.store.pool import Querying
from service.store.queries import load
from service.store.wire import Json

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery to send now: `body`, as it is. `attempts` were made so far; `failures` of them count.

    `endpoint_status` is active, or paused.
    """

    delivery_id: str
    endpoint: str
    url: str
    sequence: int
    attempts: int
    failures: int
    next_attempt_at: datetime
    endpoint_status: str
    api_key: str | None
    task_id: str
    agent_id: UUID | None
    body: str
    correlation_id: str | None
    trace: str | None

    @property
    def is_probe(self) -> bool:
        """Whether it is sent to find out if a paused endpoint works again."""
        return self.endpoint_status == "paused"


@dataclass(frozen=True, slots=True)
class Redelivery:
    """What became of a request to send again: requested, pending, disabled or not_found."""

    delivery_id: str
    outcome: str
    sequence: int | None
    position: int | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One delivery of a replay: `status` before, and the outcome (of a dry run: what it would be)."""

    delivery_id: str
    event_position: int
    endpoint: str | None
    task_id: str
    status: str
    outcome: str
    position: int | None


class DeliveryStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def due(
        self,
        open_ids: Sequence[str],
        busy: Sequence[str],
        probing: Sequence[str],
        per_endpoint: int,
        limit: int,
    ) -> list[DueDelivery]:
        """What may be sent now, the longest due first: not those in `open_ids`, nor to endpoints in `busy`.

        Of a paused endpoint only the first one, and only while it is in `probing`.
        """
        rows = await self._db.fetch(
            SQL.due_deliveries, list(open_ids), list(busy), list(probing), per_endpoint, limit
        )
        return [DueDelivery(*row) for row in rows]

    async def next_due_in(self) -> float | None:
        """Seconds until the next delivery that waits for a time; None when none does."""
        seconds = await self._db.fetchval(SQL.next_delivery)
        return None if seconds is None else float(seconds)

    async def end_attempts(
        self,
        delivery_ids: Sequence[str],
        attempts: Sequence[int],
        outcomes: Sequence[str],
        details: Sequence[Json],
        relay_id: str,
        term: int,
    ) -> list[str]:
        """Record attempts: recorded, stale or not_found for each. Raises LeaseLost."""
        rows = await self._db.fetch(
            *(SQL.end_delivery_attempts, list(delivery_ids), list(attempts), list(outcomes), list(details)),
            *(relay_id, term),
        )
        return [row["outcome"] for row in rows]

    async def redeliver(
        self, delivery_ids: Sequence[str], reason: str | None, *, actor: str, ring: bool = True
    ) -> list[Redelivery]:
        """Send again under the same ids and numbers, also what is gone from the list."""
        rows = await self._db.fetch(SQL.redeliver, list(delivery_ids), reason, actor, ring)
        return [Redelivery(*row) for row in rows]

    async def replay(
        self,
        after: int,
        until: int,
        *,
        endpoint: str | None,
        statuses: Sequence[str] | None,
        dry_run: bool,
        limit: int,
        reason: str | None,
        actor: str,
        ring: bool = True,
    ) -> list[Replayed]:
        """Send again what tells of tasks that ended in (after, until]; call again after the last one's event.

        Raises Invalid or Conflict for positions that are not settled.
        """
        given = None if statuses is None else list(statuses)
        rows = await self._db.fetch(
            *(SQL.replay_webhooks, after, until, endpoint, given, dry_run, limit, reason, actor, ring)
        )
        return [Replayed(*row) for row in rows]

    async def change_endpoint(
        self,
        endpoint: str,
        status: str,
        reason: str | None,
        *,
        actor: str,
        relay_id: str | None = None,
        term: int | None = None,
        ring: bool = True,
    ) -> int | None:
        """Make it active, paused or disabled; None when it was so. Raises Invalid, LeaseLost."""
        row = await self._db.fetchrow(
            SQL.change_endpoint, endpoint, status, reason, actor, relay_id, term, ring
        )
        assert row is not None, "the function always answers"
        return None if row["position"] is None else int(row["position"])

    async def rotate_secret(
        self,
        scope: str,
        secret: str,
        overlap_seconds: float,
        reason: str | None,
        *,
        actor: str,
        ring: bool = True,
    ) -> dict[str, Any]:
        """Put a new secret in force; gives secret_id, scope and position. Raises Invalid."""
        row = await self._db.fetchrow(SQL.rotate_secret, scope, secret, overlap_seconds, reason, actor, ring)
        assert row is not None, "the function always answers"
        return dict(row)

    async def first_secret(self, secret: str) -> bool:
        """Make the default secret when there is none; whether it did."""
        return bool(await self._db.fetchval(SQL.first_secret, secret))

    async def signing_secrets(self, endpoint: str, api_key: str | None) -> list[str]:
        """The secrets that sign now, the newest first."""
        return [row[0] for row in await self._db.fetch(SQL.signing_secrets, endpoint, api_key)]
