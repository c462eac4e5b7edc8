"""Webhooks to send as the API takes and shows them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.api.moments import Moment
from service.api.routing import Answer, Model
from service.api.task_models import Time
from service.store.deliveries import Replayed
from service.store.delivery_lists import HEADERS, Delivery, DeliveryAttempt

Status = Literal["pending", "delivered", "abandoned", "skipped"]
Replayable = Literal["delivered", "abandoned", "skipped", "unknown"]
MOST_REPLAYED = 1000
Url = Annotated[str, Field(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://\S+$", max_length=2000)]


class DeliveryPath(Model):
    """One delivery."""

    delivery_id: str = Field(max_length=100)


class DeliveryQuery(Model):
    """Which deliveries are wanted."""

    status: list[Status] = Field(default=[], description="Statuses.")
    task_id: str | None = Field(default=None, max_length=200)
    endpoint: Url | None = Field(default=None, description="A URL; its query does not matter.")
    from_: Time | None = Field(default=None, alias="from", description="Created at this time or later.")
    to: Time | None = Field(default=None, description="Created before this time.")
    limit: int = Field(default=50, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")


class DeliveryModel(Answer):
    """One webhook to send, or sent; `error`, `http_status` and `latency_ms` are those of its last attempt."""

    delivery_id: str = Field(description="The header `webhook-id`: the same over attempts and redeliveries.")
    task_id: str
    task_type: str
    event_type: str = Field(description="How the task ended.")
    event_position: int = Field(description="Place in the log of that event; `position` in the body.")
    url: str
    endpoint: str = Field(description="The URL, normalised and without its query.")
    endpoint_status: Literal["active", "paused", "disabled"]
    sequence: int | None = Field(description="The header `webhook-sequence`; null for a skipped one.")
    status: Status
    attempts: int
    failures: int = Field(description="Failed attempts since it was last requested.")
    redeliveries: int
    next_attempt_at: datetime | None
    http_status: int | None
    error: str | None
    latency_ms: float | None
    reason: str | None = Field(description="Why it was skipped, given up or requested again.")
    created_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    correlation_id: str | None


class DeliveryAttemptModel(Answer):
    """One request that was made."""

    attempt: int
    at: datetime
    delivered: bool
    http_status: int | None
    error: str | None
    latency_ms: float | None
    next_delay_ms: float | None = Field(description="Until the next one; null when there was none.")
    probe: bool = Field(description="Whether a paused endpoint answers again; uses up no attempt.")
    position: int


class DeliveryDetail(DeliveryModel):
    """A delivery with what was tried, and what is sent."""

    tried: list[DeliveryAttemptModel] = Field(description="First to last; at most the last 1000.")
    body: str | None = Field(description="Exactly as it is sent and signed.")
    headers: list[str] = Field(description="Those that a receiver needs; never their values.")


class DeliveryPage(Answer):
    """Deliveries, newest first."""

    items: list[DeliveryModel]
    next: str | None = Field(description="Pass as `cursor` for the next page; null on the last.")


class Redelivered(Answer):
    """A delivery that is sent again."""

    delivery_id: str
    sequence: int | None
    delivery: str = Field(description="Where it is shown.")


class Replay(Model):
    """Which webhooks are to be sent again: those of tasks that ended after `from` and up to `to`."""

    from_: Moment = Field(alias="from", description="A position of the log, or a time.")
    to: Moment | None = Field(default=None, description="A position or a time; now when it is left out.")
    endpoint: Url | None = Field(default=None, description="Only to this one; its query does not matter.")
    statuses: list[Replayable] | None = Field(
        default=None,
        min_length=1,
        description="Only those; `unknown` were never requested, or are gone from the list.",
    )
    dry_run: bool = Field(description="Tell what would be sent, and do nothing.")
    reason: str | None = Field(default=None, max_length=1000, description="Why; kept in the log.")
    limit: int = Field(default=500, ge=1, le=MOST_REPLAYED, description="At most so many in one request.")


class ReplayCount(Answer):
    """How many deliveries to one endpoint had one outcome."""

    endpoint: str | None
    outcome: Literal["requested", "pending", "disabled", "skipped", "known"] = Field(
        description="`requested` goes out again; `pending` is being sent anyway; the endpoint is `disabled`; "
        "`skipped`: its URL is none."
    )
    deliveries: int


class ReplayAnswer(Answer):
    """What a replay did, or with `dry_run` would do."""

    from_position: int
    to_position: int
    dry_run: bool
    counts: list[ReplayCount]
    next: int | None = Field(description="There are more: ask again with this as `from`. Null at the end.")


def of_delivery(row: Delivery) -> DeliveryModel:
    """A row as it is shown."""
    return DeliveryModel.model_construct(**_values(row))


def detail(row: Delivery, tried: Sequence[DeliveryAttempt], body: str | None) -> DeliveryDetail:
    """A row with its attempts and its body."""
    attempts = [DeliveryAttemptModel.model_construct(**asdict(each)) for each in tried]
    return DeliveryDetail.model_construct(**_values(row), tried=attempts, body=body, headers=list(HEADERS))


def counts(rows: Sequence[Replayed]) -> list[ReplayCount]:
    """Rows of a replay added up, by endpoint and outcome."""
    found = Counter((row.endpoint, row.outcome) for row in rows)
    ordered = sorted(found.items(), key=lambda each: (each[0][0] or "", each[0][1]))
    return [
        ReplayCount(endpoint=endpoint, outcome=outcome, deliveries=number)
        for (endpoint, outcome), number in ordered
    ]


def place(delivery_id: str) -> str:
    """Where a delivery is shown."""
    return f"/api/v1/deliveries/{delivery_id}"


def _values(row: Delivery) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in DeliveryModel.model_fields}
    # Stored as real: 12.3 would be shown as 12.300000190734863.
    values["latency_ms"] = None if row.latency_ms is None else round(row.latency_ms, 1)
    return values
