"""A task's life as the log tells it, where its time went, and why it is where it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Changes = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a life; `gap` is None for the first.

    `status` and `attempt` are those after it, None once the row is gone. What took the row, and what was told
    by webhooks, are events of other streams and have no `version`. `changes` are {column: [before, after]}.
    """

    position: int
    version: int | None
    type: str
    actor: str
    reason: str | None
    recorded_at: datetime
    gap: timedelta | None
    status: str | None
    attempt: int | None
    changes: Changes
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """What one phase took of a life, summed up: seconds, and the share of the whole (0 to 1)."""

    phase: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task is not running, or what became of it; `status` is None when its row is gone.

    `blocked` means that time alone does not help. `reason` is one of the codes of why_pending, `sentence` the
    same for a person; `facts["causes"]` of a pending task holds every true cause.
    """

    task_id: str
    status: str | None
    blocked: bool
    reason: str
    sentence: str
    facts: Mapping[str, Any]


# What a task is, in the order in which a person asks; none of it changes in its life.
FACTS = (
    *("task_type", "subject", "queue", "priority", "params", "max_attempts", "timeout_seconds"),
    *("run_at", "unique_key", "webhook_url"),
)


def birth_facts(data: Mapping[str, Any], correlation_id: str | None) -> dict[str, Any]:
    """What a task is, from the data of its task.enqueued event; None where that says nothing."""
    return {name: data.get(name) for name in FACTS} | {"correlation_id": correlation_id}
