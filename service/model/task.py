"""A task as the queue shows it, and as a claim hands it to a worker."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "timeout")
TERMINAL = frozenset({"completed", "failed", "cancelled", "timeout"})
RETRYABLE = frozenset({"failed", "cancelled", "timeout"})
# What a worker may report about an attempt, and what may come of it.
REPORTS = ("completed", "failed", "timed_out", "cancelled", "released", "snoozed")
OUTCOMES = (
    *("completed", "retry_scheduled", "failed", "timeout", "cancelled", "released", "snoozed"),
    *("lease_lost", "not_found"),
)


class ClaimedTask(NamedTuple):
    """A task that this worker may run now; the fields stand in the order of claim_tasks' columns.

    A tuple rather than a dataclass: thousands are made each second, and a tuple is made in one call.
    `lease` is the right to finish it and goes with every report. `failures` counts the attempts that failed
    before this one. `lane`, `ready_position` and `run_at` tell where it stood, for the lane's next mark.
    """

    task_id: str
    task_type: str
    lease: int
    attempt: int
    failures: int
    max_attempts: int
    timeout_seconds: float
    queue: str
    priority: int
    subject: str | None
    params: Any
    checkpoint: Any
    correlation_id: str | None
    trace: str | None
    created_at: datetime
    enqueued_position: int
    lane: int
    ready_position: int | None
    run_at: datetime | None


class LaneMark(NamedTuple):
    """Where the next scan of a lane may start: at this ready_position, and at this run_at."""

    lane: int
    ready_position: int | None
    run_at: datetime | None


class RequestKey(NamedTuple):
    """The Idempotency-Key of a request: whose, for which route, the key, and the hash of the request."""

    api_key: str
    route: str
    key: str
    hash: str


class Claim(NamedTuple):
    """What one claim got. No event at or below `settled` can appear later; it was read before the claim.

    `due_in` tells a claim that got less than it asked for in how many seconds the next waiting task is due;
    None when none waits for a time.
    """

    settled: int
    tasks: list[ClaimedTask]
    due_in: float | None = None


class Enqueued(NamedTuple):
    """What became of one task of an enqueue: enqueued, or duplicate (then `task_id` is the other's).

    `position` is that of its task.enqueued event, None for a duplicate; `queue` is where it waits.
    """

    ordinal: int
    task_id: str
    outcome: str
    position: int | None
    queue: str


class Changed(NamedTuple):
    """What became of one task of a cancel or retry; `status` is the one before, `position` that of the event.

    `outcome` is cancelled, cancellation_requested or retried; conflict or not_found when nothing was written.
    """

    task_id: str
    outcome: str
    status: str | None
    position: int | None


class Ended(NamedTuple):
    """What became of one report of a worker: one of OUTCOMES, `progressed` or `cancellation_requested`."""

    task_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Task:
    """A row of background_tasks, with the parameters its task.enqueued event keeps."""

    task_id: str
    task_type: str
    queue: str
    priority: int
    status: str
    version: int
    subject: str | None
    agent_id: UUID | None
    params: Any
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    failures: int
    max_attempts: int
    timeout_seconds: float
    worker_id: str | None
    cancellation_requested: bool
    progress_percentage: float
    step: str | None
    checkpoint: Any
    result: Any
    error: str | None
    unique_key: str | None
    webhook_url: str | None
    webhook_retry_count: int
    correlation_id: str | None
    enqueued_position: int

    @property
    def is_over(self) -> bool:
        """Whether only a retry by hand can still change it."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a task: ended, or still open (`status` pending or running, `ended_at` None)."""

    task_id: str
    attempt: int
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: float | None
    worker_id: str | None
    error_type: str | None
    error_message: str | None
    started_position: int | None
    ended_position: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands: `queue_position` is its 1-based rank among what could be claimed before it.

    None when it waits for a time or does not wait. Up to 10,000 it is counted, beyond that estimated
    (`exact` is False). `estimated_completion_at` is None without recent tasks or workers to judge by.
    """

    queue_position: int | None
    exact: bool
    estimated_completion_at: datetime | None
