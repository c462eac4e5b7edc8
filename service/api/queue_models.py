"""Queues as the API shows them: how many tasks of which class are in which status, now or as it was."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from pydantic import Field

from service.api.routing import Answer
from service.store.fleet import QueueDepth
from service.store.travel import PastDepth

ENDED = ("completed", "failed", "cancelled", "timeout")
ADDED_UP = ("ready", "waiting", "pending", "running", *ENDED)
ONLY_THEN = "Only with `at`: tasks that had ended so, and were not gone."


class Depth(Answer):
    """Tasks by status."""

    pending: int = Field(description="Ready or waiting.")
    ready: int | None = Field(description="Could run now; null with `at`.")
    waiting: int | None = Field(description="Wait for a time; null with `at`.")
    running: int
    oldest_ready_at: datetime | None = Field(description="Null with `at`.")
    completed: int | None = Field(default=None, description=ONLY_THEN)
    failed: int | None = Field(default=None, description=ONLY_THEN)
    cancelled: int | None = Field(default=None, description=ONLY_THEN)
    timeout: int | None = Field(default=None, description=ONLY_THEN)


class ClassDepth(Depth):
    """The tasks of one priority class."""

    task_class: Literal["high", "medium", "low"]


class QueueModel(Depth):
    """A queue that ever had a task; with `at`, one that had tasks then."""

    queue: str
    paused: bool
    classes: list[ClassDepth]


class Queues(Answer):
    """Queues, by name."""

    items: list[QueueModel]
    next: None = None


def of_depths(depths: Iterable[QueueDepth]) -> Queues:
    """The queues of now; `depths` come in the order of their names."""
    return _queues([asdict(depth) | {"pending": depth.ready + depth.waiting} for depth in depths])


def of_past_depths(depths: Iterable[PastDepth]) -> Queues:
    """The queues of a moment; `depths` come in the order of their names."""
    unknown = dict.fromkeys(("ready", "waiting", "oldest_ready_at"))
    return _queues([asdict(depth) | unknown for depth in depths])


def _queues(rows: Sequence[dict[str, Any]]) -> Queues:
    found = groupby(rows, key=lambda row: (row["queue"], row["paused"]))
    return Queues(items=[_queue(queue, paused, list(group)) for (queue, paused), group in found])


def _queue(queue: str, paused: bool, rows: Sequence[dict[str, Any]]) -> QueueModel:
    oldest = [row["oldest_ready_at"] for row in rows if row["oldest_ready_at"]]
    return QueueModel(
        queue=queue,
        paused=paused,
        classes=[ClassDepth.model_validate(row) for row in rows],
        oldest_ready_at=min(oldest, default=None),
        **{name: _sum([row.get(name) for row in rows]) for name in ADDED_UP},
    )


def _sum(counts: Sequence[int | None]) -> Any:
    return None if None in counts else sum(count for count in counts if count is not None)
