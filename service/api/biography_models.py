"""A task's life, and why it waits, as the API tells them."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, JsonValue

from service.api.moments import Moment
from service.api.routing import Answer, Model
from service.model.biography import PhaseTime, Step, Why


class LifeQuery(Model):
    """Which part of a life."""

    until: Moment | None = Field(
        default=None,
        description="Only up to this position of the log, or this time (UTC without an offset).",
        examples=[4711, "2026-01-31T12:00:00Z"],
    )
    after: int = Field(default=0, ge=0, description="The position after which the page starts.")
    limit: int = Field(default=1000, ge=1, le=10_000)


class StepModel(Answer):
    """One event of a task's life, and what it changed."""

    position: int = Field(description="Place in the one global order.")
    version: int | None = Field(
        description="Place in the task's stream; null for what other streams tell: its webhooks, its removal."
    )
    type: str
    actor: str
    reason: str | None = Field(description="Why, in one line, as far as the event says.")
    recorded_at: datetime
    gap_ms: float | None = Field(description="Since the event before; null for the first.")
    status: str | None = Field(description="After it; null once the row is gone.")
    attempt: int | None = Field(description="After it.")
    changes: dict[str, list[JsonValue]] = Field(description="Column to what it was and what it became.")
    data: dict[str, JsonValue] = Field(description="The facts of the event.")


class PhaseModel(Answer):
    """What one phase took of a life."""

    phase: str = Field(
        description="waiting_for_time, queued, paused, running, backoff, snoozed, lost (to a dead worker), "
        "delivering (its webhook, after an end), or over (between that and a retry by hand)."
    )
    seconds: float
    share: float = Field(description="Of the whole life, 0 to 1.")


class FactsModel(Answer):
    """What a task is, as its first event says."""

    task_type: str | None
    subject: str | None
    queue: str | None
    priority: int | None
    params: JsonValue
    max_attempts: int | None
    timeout_seconds: float | None
    run_at: datetime | None
    unique_key: str | None
    webhook_url: str | None
    correlation_id: str | None


class Biography(Answer):
    """The life of one task."""

    task_id: str
    facts: FactsModel
    items: list[StepModel]
    next: int | None = Field(description="Pass as `after` for the next page; null on the last.")
    time_spent: list[PhaseModel] = Field(
        description="Where the time of the whole life went, to its last end, `until` or now; on every page."
    )


class WhyModel(Answer):
    """Why a task is not running, or what became of it."""

    task_id: str
    status: str | None = Field(description="Null when its row is gone.")
    blocked: bool = Field(description="Whether time alone does not help: somebody has to do something.")
    reason: str = Field(
        description="The first that is true of a pending task: queue_paused, not_due, no_worker, slots_busy, "
        "tasks_ahead, not_claimed, claimable; else running, completed, failed, timeout, cancelled or gone."
    )
    sentence: str = Field(description="The reason for a person.")
    facts: dict[str, JsonValue] = Field(
        description="What it was told from; `causes` holds every true cause of a pending task."
    )


def of_step(step: Step) -> StepModel:
    """A step as it is shown."""
    values: dict[str, Any] = {
        name: getattr(step, name) for name in StepModel.model_fields if name != "gap_ms"
    }
    gap_ms = None if step.gap is None else step.gap / timedelta(milliseconds=1)
    return StepModel.model_construct(**values, gap_ms=gap_ms)


def of_phase(phase: PhaseTime) -> PhaseModel:
    """A phase as it is shown."""
    return PhaseModel.model_construct(phase=phase.phase, seconds=phase.seconds, share=phase.share)


def of_why(why: Why) -> WhyModel:
    """An answer as it is shown."""
    return WhyModel.model_construct(**{name: getattr(why, name) for name in WhyModel.model_fields})


PAUSED = "Waits for the pause of queue 'mail' to end: paused 12 min ago by api:ops ('provider down')."
WHY = {
    "task_id": "task-100000042",
    "status": "pending",
    "blocked": True,
    "reason": "queue_paused",
    "sentence": PAUSED,
    "facts": {
        "queue": "mail",
        "pause": {
            "since": "2026-01-31T12:00:00.000000Z",
            "seconds": 720.0,
            "actor": "api:ops",
            "reason": "provider down",
        },
        "causes": [
            {
                "reason": "queue_paused",
                "blocked": True,
                "sentence": PAUSED,
            }
        ],
    },
}
LIFE = {
    "task_id": "task-100000042",
    "facts": {
        "task_type": "resize_image",
        "subject": None,
        "queue": "default",
        "priority": 5,
        "params": {"widths": [320]},
        "max_attempts": 3,
        "timeout_seconds": 300,
        "run_at": None,
        "unique_key": None,
        "webhook_url": None,
        "correlation_id": "my-request",
    },
    "items": [
        {
            "position": 4711,
            "version": 2,
            "type": "task.started",
            "actor": "worker:host-1",
            "reason": None,
            "recorded_at": "2026-01-31T12:00:00.123000Z",
            "gap_ms": 12.5,
            "status": "running",
            "attempt": 1,
            "changes": {
                "attempt": [0, 1],
                "status": ["pending", "running"],
                "worker_id": [None, "host-1"],
            },
            "data": {"attempt": 1, "worker_id": "host-1"},
        }
    ],
    "next": None,
    "time_spent": [
        {"phase": "queued", "seconds": 0.0125, "share": 0.2},
        {"phase": "running", "seconds": 0.05, "share": 0.8},
    ],
}
