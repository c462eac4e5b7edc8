"""Routes of what works and on what: task types, queues, workers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, JsonValue

from service.api.idempotency import once
from service.api.moments import AtQuery, settled
from service.api.queue_models import Queues, of_depths, of_past_depths
from service.api.routing import Answer, Model, Reply, Request, Route
from service.api.task_models import Reason
from service.store.fleet import FleetStore
from service.store.pool import Session


class TaskTypeModel(Answer):
    """A type of task in its current version, and the defaults of its tasks."""

    task_type: str
    code_version: str
    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    backoff: dict[str, JsonValue]
    run_in: str
    params_schema: dict[str, JsonValue] | None
    description: str | None
    owner: str | None
    subject_type: str | None
    subject_param: str | None
    limit_group: str
    published_at: datetime
    other_versions: list[str]
    served: bool = Field(description="Whether a live worker has a handler for it.")


class TaskTypes(Answer):
    """The catalogue, by name."""

    items: list[TaskTypeModel]
    next: None = None


class WorkerModel(Answer):
    """A worker process."""

    worker_id: str
    status: Literal["live", "stopped", "lost"]
    host: str
    pid: int
    queues: list[str]
    task_types: list[str]
    concurrency: int
    running: int
    code_version: str | None
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    reason: str | None


class Workers(Answer):
    """Workers, the newest first; at most 1000."""

    items: list[WorkerModel]
    next: None = None


class WorkerQuery(Model):
    """Which workers are wanted."""

    live: bool = Field(default=False, description="Only those that live.")


class QueuePath(Model):
    """One queue."""

    queue: str = Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")


class QueueState(Answer):
    """Whether claims are taken from a queue."""

    queue: str
    paused: bool


async def list_task_types(request: Request[None, None, None]) -> TaskTypes:
    """The catalogue."""
    types = await request.services.fleet.task_types()
    return TaskTypes(items=[TaskTypeModel.model_construct(**_shown(asdict(each))) for each in types])


async def list_workers(request: Request[None, WorkerQuery, None]) -> Workers:
    """Worker processes and what they serve."""
    workers = await request.services.fleet.workers(live_only=request.query.live)
    return Workers(items=[WorkerModel.model_construct(**asdict(each)) for each in workers])


async def list_queues(request: Request[None, AtQuery, None]) -> Reply:
    """Depth of each queue, in all and by class, now or as it was."""
    if request.query.at is None:
        return Reply(of_depths(await request.services.fleet.queues()))
    past, position = await settled(request.services, request.query.at)
    return Reply(of_past_depths(await past.queues(position)), position=position)


async def pause(request: Request[Reason, None, QueuePath]) -> Reply:
    """Stop claims; what runs goes on."""
    return await _change(request, paused=True)


async def resume(request: Request[Reason, None, QueuePath]) -> Reply:
    """Let claims go on."""
    return await _change(request, paused=False)


async def _change(request: Request[Reason, None, QueuePath], paused: bool) -> Reply:
    queue, reason, actor = request.params.queue, request.body.reason, request.caller.actor

    async def write(session: Session) -> dict[str, int | None]:
        fleet = FleetStore(session)
        change = fleet.pause_queue if paused else fleet.resume_queue
        return {"position": await change(queue, reason, actor=actor)}

    result = await once(request.services, request.caller, write)
    request.services.doorbell.ring("annals_events")
    return Reply(QueueState(queue=queue, paused=paused), position=result["position"])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"timeout_seconds": round(row["timeout_seconds"], 3)}


TAGS = ("fleet",)
ROUTES = [
    Route(
        "GET",
        "/api/v1/task-types",
        list_task_types,
        summary="List the catalogue of task types",
        tags=TAGS,
        response=TaskTypes,
    ),
    Route(
        "GET",
        "/api/v1/workers",
        list_workers,
        summary="List workers",
        tags=TAGS,
        query=WorkerQuery,
        response=Workers,
    ),
    Route(
        "GET",
        "/api/v1/queues",
        list_queues,
        summary="List queues, as they are or were",
        description="With `at`: tasks by queue, class and status at that moment. Which of the pending "
        "were due is not counted then: `GET /tasks?status=pending&at=` tells it by `run_at`.",
        tags=TAGS,
        query=AtQuery,
        response=Queues,
        errors=(409,),
    ),
    Route(
        "POST",
        "/api/v1/queues/{queue}/pause",
        pause,
        summary="Stop claims from a queue",
        description="What runs goes on. A queue that is paused already stays so, and nothing is written.",
        tags=TAGS,
        scope="admin",
        params=QueuePath,
        body=Reason,
        body_optional=True,
        response=QueueState,
    ),
    Route(
        "POST",
        "/api/v1/queues/{queue}/resume",
        resume,
        summary="Let claims from a queue go on",
        tags=TAGS,
        scope="admin",
        params=QueuePath,
        body=Reason,
        body_optional=True,
        response=QueueState,
    ),
]
