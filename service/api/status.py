"""The state of the whole installation: what `annals status` shows, for programs."""

from dataclasses import asdict
from datetime import datetime

from pydantic import Field

from service.api.routing import Answer, Request, Route
from service.model.error_group import ErrorGroup
from service.store.alarms import Alarm
from service.store.readings import (
    EndpointReading,
    FollowerReading,
    LastHour,
    LogReading,
    PausedQueue,
    QueueReading,
    RelayReading,
    RetentionReading,
    ScheduleReading,
    WorkerReading,
)


class StatusModel(Answer):
    """Fleet, relays, queues, lags, webhooks and the last errors, with what needs a person."""

    at: datetime
    version: str
    server_version: str
    is_well: bool = Field(description="Nothing needs a person.")
    reasons: list[Alarm] = Field(description="Why it needs a person, the gravest first.")
    workers: list[WorkerReading] = Field(description="Workers not given up for dead.")
    relays: list[RelayReading]
    term: int = Field(description="Counts the take-overs between relays.")
    followers: list[FollowerReading]
    queues: list[QueueReading]
    paused: list[PausedQueue]
    schedules: list[ScheduleReading]
    open_deliveries: int = Field(description="Webhooks to send; counted up to 2000.")
    oldest_delivery_seconds: float
    endpoints: list[EndpointReading] = Field(description="Those that are paused or disabled.")
    retention: list[RetentionReading]
    last_hour: LastHour
    errors: list[ErrorGroup] = Field(description="The last groups of errors of 24 hours.")
    log: LogReading


async def show(request: Request[None, None, None]) -> StatusModel:
    """The state now. 200 whether it is well or not: that is in `is_well`."""
    return StatusModel(**asdict(await request.services.status.status()))


ROUTES = [
    Route(
        "GET",
        "/api/v1/status",
        show,
        summary="Show the state of the installation",
        description="What needs a person is in `reasons`; `/healthz` and `/readyz` are of one process.",
        tags=("status",),
        response=StatusModel,
    ),
]
