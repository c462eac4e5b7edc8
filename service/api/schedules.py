"""Routes of schedules: tasks to enqueue at certain times."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, JsonValue

from service.api.idempotency import once
from service.api.routing import Answer, Model, Reply, Request, Route
from service.errors import Invalid
from service.store.pool import Session
from service.store.schedules import Schedule, ScheduleStore

EXAMPLE = {
    "cron": "30 2 * * MON-FRI",
    "time_zone": "Europe/Berlin",
    "task_type": "coverage_refresh",
    "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"},
}


class SchedulePath(Model):
    """One schedule."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")


class Definition(Model):
    """What is to be enqueued when. What is left out gets its default, also when a schedule is replaced."""

    cron: str = Field(description="Minute, hour, day of month, month, day of week.", max_length=500)
    time_zone: str = Field(default="UTC", description="IANA name of the zone in which `cron` is meant.")
    task_type: str
    params: dict[str, JsonValue] = Field(default_factory=dict, description="Parameters of the task.")
    queue: str | None = Field(default=None, description="Else the type's own.")
    priority: int | None = Field(default=None, ge=1, le=10, description="Else the type's own.")
    missed_fires: Literal["once", "skip"] = Field(
        default="once", description="After a pause: fire once for all due times that were missed, or not."
    )
    enabled: bool = True


class ScheduleModel(Answer):
    """A schedule, and when it fires next."""

    name: str
    cron: str
    time_zone: str
    task_type: str
    params: dict[str, JsonValue]
    queue: str | None
    priority: int | None
    missed_fires: Literal["once", "skip"]
    enabled: bool
    configured: bool = Field(description="Its definition comes from the configuration.")
    created_at: datetime
    changed_at: datetime
    last_due_at: datetime | None
    last_fired_at: datetime | None
    last_task_id: str | None
    last_error: str | None = Field(description="Why the last fire enqueued nothing.")
    next_fires: list[datetime] = Field(description="The next five; none while it is disabled.")


class Schedules(Answer):
    """Schedules, by name."""

    items: list[ScheduleModel]
    next: None = None


class FiredModel(Answer):
    """The task of a fire by hand."""

    name: str
    task_id: str


async def list_schedules(request: Request[None, None, None]) -> Schedules:
    """All of them."""
    rows = await ScheduleStore(request.services.db).list()
    return Schedules(items=[_model(row) for row in rows])


async def show(request: Request[None, None, SchedulePath]) -> ScheduleModel:
    """One."""
    return _model(await ScheduleStore(request.services.db).get(request.params.name))


async def put(request: Request[Definition, None, SchedulePath]) -> Reply:
    """Create or replace."""
    store, name = ScheduleStore(request.services.db), request.params.name
    definition = request.body.model_dump(exclude_none=True)
    done = await store.set(name, definition, actor=request.caller.actor, ring=False)
    _ring(request)
    status = 201 if done.outcome == "created" else 200
    return Reply(_model(await store.get(name)), status=status, position=done.position)


async def disable(request: Request[None, None, SchedulePath]) -> Reply:
    """Keep it from firing; what the log says of it stays."""
    store = ScheduleStore(request.services.db)
    position = await store.disable(request.params.name, actor=request.caller.actor, ring=False)
    _ring(request)
    return Reply(position=position)


async def fire(request: Request[None, None, SchedulePath]) -> Reply:
    """Enqueue its task now."""
    name, caller = request.params.name, request.caller

    async def write(session: Session) -> dict[str, Any]:
        fired = await ScheduleStore(session).fire(
            name, actor=caller.actor, ring=False, correlation_id=caller.correlation_id
        )
        return {"task_id": fired.task_id, "queue": fired.queue, "position": fired.position}

    result = await once(request.services, caller, write)
    request.services.doorbell.ring("annals_tasks", result["queue"])
    request.services.doorbell.ring("annals_events")
    return Reply(FiredModel(name=name, task_id=result["task_id"]), position=result["position"])


def _ring(request: Request[Any, None, SchedulePath]) -> None:
    request.services.doorbell.ring("annals_relay")
    request.services.doorbell.ring("annals_events")


def _model(row: Schedule) -> ScheduleModel:
    try:
        fires = row.next_fires()
    except Invalid:
        # The relay works due times out; that this host does not know the zone hides no schedule.
        fires = []
    told = {field: getattr(row, field) for field in ScheduleModel.model_fields if field != "next_fires"}
    return ScheduleModel(**told, next_fires=fires)


TAGS = ("schedules",)
ONE = "/api/v1/schedules/{name}"
ROUTES = [
    Route("GET", "/api/v1/schedules", list_schedules, "List schedules", tags=TAGS, response=Schedules),
    Route(
        "GET",
        ONE,
        show,
        "One schedule",
        tags=TAGS,
        params=SchedulePath,
        response=ScheduleModel,
        errors=(404,),
    ),
    Route(
        "PUT",
        ONE,
        put,
        "Create a schedule, or replace its definition",
        description="201 when it is new. A definition that is in force already changes nothing. Where clocks "
        "change: a fixed local time that does not exist fires once at the next moment that does, one that "
        "exists twice fires once.",
        tags=TAGS,
        scope="write",
        params=SchedulePath,
        body=Definition,
        response=ScheduleModel,
        example=EXAMPLE,
    ),
    Route(
        "DELETE",
        ONE,
        disable,
        "Disable a schedule",
        description="It does not fire by itself any more; its history stays, and PUT enables it again.",
        tags=TAGS,
        scope="write",
        params=SchedulePath,
        errors=(404,),
    ),
    Route(
        "POST",
        f"{ONE}/fire",
        fire,
        "Enqueue the task of a schedule now",
        description="Its due times stay as they are; a disabled schedule can be fired, too.",
        tags=TAGS,
        scope="write",
        params=SchedulePath,
        response=FiredModel,
        status=202,
        errors=(404,),
    ),
]
