"""What the events of a task say."""

from datetime import datetime
from typing import Any

from service.model.registry import EventData, event


@event("task.enqueued")
class TaskEnqueued(EventData):
    """A task exists; `occurred_at` when its business time is not that of the log."""

    task_type: str
    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    backoff: dict[str, Any]
    params: dict[str, Any]
    subject: str | None = None
    run_at: datetime | None = None
    unique_key: str | None = None
    webhook_url: str | None = None
    limit_group: str | None = None
    occurred_at: datetime | None = None


@event("task.started")
class TaskStarted(EventData):
    """A worker claimed it; the version of this event is the lease."""

    attempt: int
    worker_id: str
    occurred_at: datetime | None = None


@event("task.progressed")
class TaskProgressed(EventData):
    """How far the attempt has come; what is None did not change."""

    attempt: int
    percentage: float | None = None
    step: str | None = None
    checkpoint: Any = None


@event("task.completed")
class TaskCompleted(EventData):
    """The attempt succeeded."""

    attempt: int
    result: Any = None
    duration_ms: float | None = None
    occurred_at: datetime | None = None


@event("task.retry_scheduled")
class TaskRetryScheduled(EventData):
    """The attempt failed and its policy says again, at `run_at`."""

    attempt: int
    run_at: datetime
    delay_ms: float
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    duration_ms: float | None = None


@event("task.failed")
class TaskFailed(EventData):
    """The attempt failed for good: attempts_exhausted, permanent, too_big or worker_lost."""

    attempt: int
    reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    duration_ms: float | None = None
    worker_id: str | None = None


@event("task.timed_out")
class TaskTimedOut(EventData):
    """The last attempt passed its deadline."""

    attempt: int
    timeout_seconds: float
    error: str
    error_type: str | None = None
    duration_ms: float | None = None


@event("task.cancellation_requested")
class TaskCancellationRequested(EventData):
    """A running task was asked to stop."""

    reason: str | None = None


@event("task.cancelled")
class TaskCancelled(EventData):
    """It ended without being done; `attempt` is None when it never ran."""

    attempt: int | None = None
    reason: str | None = None
    duration_ms: float | None = None
    worker_id: str | None = None


@event("task.snoozed")
class TaskSnoozed(EventData):
    """The handler asked for later."""

    attempt: int
    run_at: datetime


@event("task.released")
class TaskReleased(EventData):
    """A worker that stops gave it back."""

    attempt: int


@event("task.rescued")
class TaskRescued(EventData):
    """It was taken from a dead worker."""

    attempt: int
    worker_id: str


@event("task.completion_refused")
class TaskCompletionRefused(EventData):
    """A worker that no longer held it reported an end."""

    attempt: int
    lease: int
    worker_id: str
    would_have_been: str


@event("task.retry_requested")
class TaskRetryRequested(EventData):
    """Returned to the queue by hand."""

    by: str
    reason: str | None = None
