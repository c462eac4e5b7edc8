"""The attempts of a task, from its events alone: they are told also when the task's rows are gone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# The events that end an attempt, and what that is called; the rest of a life leaves it open.
ENDS = {
    "task.completed": "completed",
    "task.retry_scheduled": "failed",
    "task.failed": "failed",
    "task.timed_out": "timed_out",
    "task.cancelled": "cancelled",
    "task.snoozed": "snoozed",
    "task.released": "released",
    "task.rescued": "rescued",
}
FAILURES = frozenset({"failed", "timed_out"})
OPEN = "open"


def attempts(
    events: Iterable[Mapping[str, Any]], rows: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One record for each task.started: how it began, how it ended, and `row`, the task's row it began with.

    `events` are those of the task in order, `rows` the row after each task.started by version. The end has
    `outcome` (a value of ENDS, or "open"), `ended_by` (the type of the event) and the facts of that event.
    """
    told: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "task.started":
            told.append(_begun(event, rows[event["version"]]))
        elif event["type"] in ENDS and told and told[-1]["outcome"] == OPEN:
            told[-1] |= _ended(event)
    return told


def chosen(told: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The attempt to look at when nobody says: the last one that failed, else the last one."""
    failed = [attempt for attempt in told if attempt["outcome"] in FAILURES]
    return (failed or [*told])[-1] if told else None


def _begun(event: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attempt": event["data"]["attempt"],
        "worker_id": event["data"].get("worker_id"),
        "started_at": event["recorded_at"],
        "started_position": event["position"],
        "outcome": OPEN,
        "row": row,
    }


def _ended(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event["data"]
    outcome = ENDS[event["type"]]
    if data.get("error_type") == "TimeoutError" and "error_traceback" not in data:
        # A deadline that passed and left another try; what a handler raises has a traceback.
        outcome = "timed_out"
    facts = {name: value for name, value in data.items() if name not in ("attempt", "worker_id")}
    return {
        "outcome": outcome,
        "ended_by": event["type"],
        "ended_at": event["recorded_at"],
        "ended_position": event["position"],
        "by": event["actor"],
        **facts,
    }
