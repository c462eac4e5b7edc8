"""The route of what changed between two moments."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from service.api.moments import Moment
from service.api.routing import Answer, Model, Reply, Request, Route
from service.store.diff import diff
from service.store.travel import PastStore


class DiffQuery(Model):
    """Two moments, each a position of the log or a time."""

    from_: Moment = Field(alias="from", description="What came after this position or time.")
    to: Moment | None = Field(default=None, description="Up to this one; what is settled now when left out.")


class TaskChanges(Answer):
    """What tasks of one type did; times are the median and the 95th percentile."""

    task_type: str
    created: int
    started: int
    completed: int
    failed: int
    timed_out: int
    cancelled: int
    retry_scheduled: int = Field(description="Failed attempts that will be tried again.")
    retried: int = Field(description="Retried by hand.")
    rescued: int
    snoozed: int
    released: int
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    waiting_p50_ms: float | None
    waiting_p95_ms: float | None


class ErrorChanges(Answer):
    """One group of errors."""

    fingerprint: str
    task_type: str
    error_type: str | None
    pattern: str
    frame: str | None
    state: str = Field(description="new, ongoing, or gone quiet.")
    before: int = Field(description="Occurrences in as many positions before `from`.")
    occurrences: int
    tasks: int
    final: int
    last_task_id: str
    last_message: str | None


class QueueChange(Answer):
    """Tasks of one queue in one status."""

    queue: str
    status: str
    before: int
    after: int


class CoverageChange(Answer):
    """An agent that was measured."""

    agent_id: UUID
    name: str | None
    before: Decimal | None
    after: Decimal
    measured: int


class EventCount(Answer):
    """What else happened, and who did it."""

    what: str
    subject: str
    actor: str
    times: int
    last_position: int
    last_at: datetime
    reason: str | None


class DiffModel(Answer):
    """What changed after `earlier`, up to `later`."""

    earlier: int
    later: int
    earlier_at: datetime | None
    later_at: datetime | None
    count: int = Field(description="Events in between.")
    tasks: list[TaskChanges]
    errors: list[ErrorChanges]
    queues: list[QueueChange]
    coverage: list[CoverageChange]
    events: list[EventCount]


async def show_diff(request: Request[None, DiffQuery, None]) -> Reply:
    """What changed between two moments."""
    past, wanted = PastStore(request.services.db), request.query
    earlier = await past.settle(wanted.from_)
    later = (
        await request.services.log.stable_position() if wanted.to is None else await past.settle(wanted.to)
    )
    found = await diff(request.services.db, earlier, later)
    return Reply(DiffModel.model_validate(asdict(found)), position=later)


ROUTES = [
    Route(
        "GET",
        "/api/v1/log/diff",
        show_diff,
        summary="Tell what changed between two moments",
        description="Tasks by type and outcome, errors in groups, queues, coverage, and who did what else. "
        "`X-Position` says up to which position.",
        tags=("log",),
        query=DiffQuery,
        response=DiffModel,
        errors=(409,),
    )
]
