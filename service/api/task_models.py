"""Tasks as the API takes and shows them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from service.api.moments import At
from service.api.routing import Answer, Model
from service.model.events import Event
from service.model.task import Task
from service.store.wire import Json

Status = Literal["pending", "running", "completed", "failed", "cancelled", "timeout"]
MOST_TASKS = 5000
TASK = {
    "task_type": "coverage_refresh",
    "params": {"agent_id": "5f3c0c5e-0000-4000-8000-00000000000a"},
    "priority": 2,
}


def _utc(at: datetime) -> datetime:
    """A time without an offset is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _task_id(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,200}", text):
        raise ValueError("not 1 to 200 printable characters without blanks")
    return text


Time = Annotated[datetime, AfterValidator(_utc)]
TaskId = Annotated[str, AfterValidator(_task_id)]


class TaskPath(Model):
    """One task."""

    task_id: str = Field(max_length=200)


class TaskDraft(Model):
    """A task to enqueue. What is left out comes from the catalogue (`GET /task-types`)."""

    task_type: str = Field(min_length=1, max_length=200)
    params: dict[str, JsonValue] | None = None
    task_id: TaskId | None = Field(default=None, description="Usually left out: then an id is made.")
    queue: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:-]{1,100}$")
    priority: int | None = Field(default=None, ge=1, le=10, description="1 (first) to 10 (last).")
    subject: str | None = Field(default=None, min_length=1, max_length=500)
    max_attempts: int | None = Field(default=None, ge=1, le=1000)
    backoff: dict[str, JsonValue] | None = Field(default=None, examples=[{"kind": "fixed", "seconds": 30}])
    timeout_seconds: float | None = Field(default=None, gt=0, le=31_536_000)
    run_at: Time | None = Field(
        default=None, description="Not before this time; without an offset it is UTC."
    )
    unique_key: str | None = Field(
        default=None, min_length=1, max_length=500, description="At most one open task has this key."
    )
    unique_states: list[Status] | None = Field(
        default=None, min_length=1, description="Statuses in which `unique_key` must be unique."
    )
    webhook_url: str | None = Field(default=None, max_length=2000)

    def as_json(self) -> Json:
        """What enqueue_tasks takes."""
        return Json(self.model_dump_json(exclude_none=True))


class TaskDrafts(Model):
    """Tasks to enqueue together: all of them, or none."""

    tasks: list[TaskDraft] = Field(min_length=1, max_length=MOST_TASKS)


class Reason(Model):
    """Why; kept in the log."""

    reason: str | None = Field(default=None, max_length=1000)


class TaskQuery(Model):
    """Which tasks are wanted."""

    type: list[str] = Field(default=[], max_length=50, description="Task types.")
    status: list[Status] = Field(default=[], description="Statuses.")
    queue: str | None = None
    subject: str | None = Field(default=None, description="What it is about, as in `agent:<id>`.")
    from_: Time | None = Field(default=None, alias="from", description="Created at this time or later.")
    to: Time | None = Field(default=None, description="Created before this time.")
    text: str | None = Field(
        default=None, min_length=1, max_length=200, description="Part of its id, type, subject or error."
    )
    limit: int = Field(default=50, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")
    at: At = None


class TaskModel(Answer):
    """A task."""

    task_id: str
    agent_id: UUID | None
    task_type: str
    status: Status
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    result: JsonValue
    error: str | None
    queue: str
    priority: int
    params: JsonValue
    subject: str | None
    run_at: datetime | None
    attempt: int
    failures: int
    max_attempts: int
    timeout_seconds: float
    progress_percentage: float
    step: str | None
    worker_id: str | None
    cancellation_requested: bool
    unique_key: str | None
    webhook_url: str | None
    webhook_retry_count: int
    correlation_id: str | None


class TaskPage(Answer):
    """Tasks, newest first."""

    items: list[TaskModel]
    next: str | None = Field(description="Pass as `cursor` for the next page; null on the last.")


class TaskList(Answer):
    """The tasks of one request, in its order."""

    tasks: list[TaskModel]


def of_task(task: Task) -> TaskModel:
    """A row as it is shown."""
    return TaskModel.model_construct(**values_of(task))


def of_enqueued(event: Event) -> TaskModel:
    """A task as its task.enqueued event left it: the same answer however often it is asked."""
    return TaskModel.model_validate(_enqueued(event))


def of_retried(events: list[Event]) -> TaskModel:
    """A task as a retry by hand left it: its task.enqueued event, and its last task.started if it had one."""
    first, *started = events
    values = _enqueued(first) | {"run_at": None}
    for event in started:
        values |= {"started_at": event.recorded_at} | {
            name: event.data[name] for name in ("attempt", "worker_id")
        }
    return TaskModel.model_validate(values)


def _enqueued(event: Event) -> dict[str, Any]:
    facts = event.data
    subject = facts.get("subject") or ""
    given = {name: facts.get(name) for name in ("subject", "run_at", "unique_key", "webhook_url")}
    kept = {name: facts[name] for name in ("task_type", "queue", "priority", "params", "max_attempts")}
    return {
        **AT_FIRST,
        **given,
        **kept,
        "task_id": event.stream_id,
        "agent_id": subject.removeprefix("agent:") if subject.startswith("agent:") else None,
        "created_at": facts.get("occurred_at") or event.recorded_at,
        "correlation_id": event.correlation_id,
        "timeout_seconds": round(facts["timeout_seconds"], 3),
    }


AT_FIRST: dict[str, Any] = {
    "status": "pending",
    "started_at": None,
    "completed_at": None,
    "result": None,
    "error": None,
    "attempt": 0,
    "failures": 0,
    "progress_percentage": 0.0,
    "step": None,
    "worker_id": None,
    "cancellation_requested": False,
    "webhook_retry_count": 0,
}


def values_of(task: Task) -> dict[str, Any]:
    """A row's columns as a model's fields."""
    values: dict[str, Any] = {name: getattr(task, name) for name in TaskModel.model_fields}
    # Stored as real: 46.67 would be shown as 46.66999816894531.
    values["progress_percentage"] = round(task.progress_percentage, 2)
    values["timeout_seconds"] = round(task.timeout_seconds, 3)
    return values
