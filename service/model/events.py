"""An event as a row of the log, and the data of each event type as a class of its own.

Data only grows: a field that an old event lacks has a default, and a field that this release does not know is
left out. Fields that end in `_at` are times. `decode` gives None for a type nobody here has taught it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, dataclass_transform


class Event(NamedTuple):
    """A row of the log; the fields stand in the order in which the store's queries name them."""

    position: int
    stream_type: str
    stream_id: str
    version: int
    type: str
    data: dict[str, Any]
    actor: str
    correlation_id: str | None
    causation_id: int | None
    trace: str | None
    recorded_at: datetime


class EventData:
    """The facts of one event."""

    __slots__ = ()


Data = TypeVar("Data", bound=EventData)
TYPES: dict[str, type[EventData]] = {}
FIELDS: dict[str, frozenset[str]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(event_type: str) -> Callable[[type[Data]], type[Data]]:
    """Make a class the data of an event type."""

    def register(cls: type[Data]) -> type[Data]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        TYPES[event_type] = made
        FIELDS[event_type] = frozenset(field.name for field in fields(made))  # type: ignore[arg-type]
        return made

    return register


def decode(event_type: str, data: Mapping[str, Any]) -> EventData | None:
    """The data of an event as its class. Raises TypeError when it lacks a field that it must have."""
    cls = TYPES.get(event_type)
    if cls is None:
        return None
    return cls(**{name: _value(name, value) for name, value in data.items() if name in FIELDS[event_type]})


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value


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


@event("worker.started")
class WorkerStarted(EventData):
    """A worker process registered."""

    worker_id: str
    host: str
    pid: int
    queues: list[str]
    task_types: list[str]
    concurrency: int
    code_version: str | None = None


@event("worker.stopped")
class WorkerStopped(EventData):
    """It said farewell."""

    worker_id: str
    reason: str | None = None


@event("worker.lost")
class WorkerLost(EventData):
    """It was given up for dead; its last sign of life was at `seen_at`."""

    worker_id: str
    reason: str | None = None
    seen_at: datetime | None = None


@event("queue.paused")
class QueuePaused(EventData):
    """Claims from it stopped."""

    queue: str
    reason: str | None = None


@event("queue.resumed")
class QueueResumed(EventData):
    """Claims from it go on."""

    queue: str
    reason: str | None = None


@event("key.created")
class KeyCreated(EventData):
    """An API key exists; its secret never enters the log."""

    key_name: str
    scopes: list[str]
    expires_at: datetime | None = None


@event("key.revoked")
class KeyRevoked(EventData):
    """It is not valid any more."""

    key_name: str
    reason: str | None = None


@event("agent.created")
class AgentCreated(EventData):
    """An agent covers a part of a taxonomy from now on."""

    name: str
    taxonomy_node_ids: list[str]
    taxonomy_version: str
    scope_description: str | None = None
    retrieval_config: dict[str, Any] | None = None
    features_config: dict[str, Any] | None = None


@event("agent.updated")
class AgentUpdated(EventData):
    """Some of its fields changed; what is None did not."""

    name: str | None = None
    scope_description: str | None = None
    retrieval_config: dict[str, Any] | None = None
    features_config: dict[str, Any] | None = None


@event("agent.targets_set")
class AgentTargetsSet(EventData):
    """How many documents it wants, by node id."""

    targets: dict[str, int]


@event("agent.queried")
class AgentQueried(EventData):
    """Somebody searched within its scope."""

    latency_ms: float | None = None
    results: int | None = None


@event("agent.deleted")
class AgentDeleted(EventData):
    """It is gone, with its rows; the events stay."""


@event("coverage.measured")
class CoverageMeasured(EventData):
    """How much of an agent's scope is backed by documents, in percent; counts by node id."""

    agent_id: str
    measured_at: datetime
    overall_coverage: float
    document_counts: dict[str, int]
    target_counts: dict[str, int]
    total_documents: int
    total_chunks: int
    task_id: str | None = None
    version: Any = None


@event("projection.repaired")
class ProjectionRepaired(EventData):
    """A read model was folded again from the log."""

    read_model: str
    rows: int
