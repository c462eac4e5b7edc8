"""What is read of a running installation at one moment: the rows behind metrics and status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TaskTotals:
    """What ever happened to tasks of a type; buckets are counts between the bounds of `Reading.bounds`."""

    task_type: str
    enqueued: int
    started: int
    completed: int
    retried: int
    failed: int
    timed_out: int
    cancelled: int
    rescued: int
    duration_ms: float
    wait_ms: float
    durations: list[int]
    waits: list[int]


@dataclass(frozen=True, slots=True)
class EventTotals:
    """How many events of a type there ever were, and the latencies that they told."""

    type: str
    events: int
    latency_ms: float
    latencies: list[int]


@dataclass(frozen=True, slots=True)
class QueueReading:
    """A queue and class: tasks that could be claimed, that wait for a time, that run; age of the oldest.

    `running` is None while the relay that counts is behind.
    """

    queue: str
    task_class: str
    claimable: int
    waiting: int
    running: int | None
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """A worker that was not given up for dead, as its last sign of life told.

    `working_seconds` is for how long the longest of its attempts runs; None when none does.
    """

    worker_id: str
    host: str
    code_version: str | None
    silent: bool
    slots: int
    busy_slots: int
    loop_lag_seconds: float
    working_seconds: float | None


@dataclass(frozen=True, slots=True)
class RelayReading:
    """A relay, as its last sign of life told."""

    relay_id: str
    host: str
    code_version: str | None
    leads: bool
    silent: bool
    loop_lag_seconds: float


@dataclass(frozen=True, slots=True)
class FollowerReading:
    """How far a follower is behind the settled end of the log, and what it stepped over."""

    name: str
    position: int
    lag_positions: int
    lag_seconds: float
    parked: int
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True)
class ScheduleReading:
    """When a schedule last fired (None: never), and for how long it should have fired already."""

    name: str
    enabled: bool
    last_fired_seconds: float | None
    overdue_seconds: float
    last_error: str | None


@dataclass(frozen=True, slots=True)
class EndpointReading:
    """A webhook endpoint that is paused or disabled, and why."""

    endpoint: str
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class PausedQueue:
    """A queue from which nothing is claimed, and why."""

    queue: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class RetentionReading:
    """Rows of a kind that retention ever removed, and how long ago it last did."""

    what: str
    removed: int
    last_seconds: float


@dataclass(frozen=True, slots=True)
class LogReading:
    """The log: its head, how far it is settled and who holds it back, its size, the last depth mark."""

    head: int
    settled: int
    bytes: int
    marked: int
    holder_pid: int | None
    holder_role: str | None
    held_seconds: float
    server_version: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything at one moment."""

    bounds: Sequence[int]
    tasks: Sequence[TaskTotals]
    events: Sequence[EventTotals]
    queues: Sequence[QueueReading]
    paused: Sequence[PausedQueue]
    workers: Sequence[WorkerReading]
    relays: Sequence[RelayReading]
    term: int
    followers: Sequence[FollowerReading]
    schedules: Sequence[ScheduleReading]
    open_deliveries: int
    oldest_delivery_seconds: float
    endpoints: Sequence[EndpointReading]
    retention: Sequence[RetentionReading]
    log: LogReading


@dataclass(frozen=True, slots=True)
class LastHour:
    """What ended since the hour before this one began, attempts of webhooks; workers lost in ten minutes."""

    since: datetime
    completed: int
    failed: int
    delivered: int
    failed_attempts: int
    workers_lost: int
