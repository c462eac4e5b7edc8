"""What the events of workers, queues, keys and read models say."""

from datetime import datetime
from typing import Any

from service.model.registry import EventData, event


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


@event("projection.repaired")
class ProjectionRepaired(EventData):
    """Rows of a read model were replaced by what the log says; `keys` names the first hundred of them."""

    read_model: str
    rows: int
    keys: list[dict[str, Any]] | None = None
