"""What a bundle says of the attempt that is run again: the task as it was claimed, and how it ended there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.audit.attempts import chosen
from service.audit.bundle_file import Bundle
from service.errors import Invalid
from service.model.task import ClaimedTask


@dataclass(frozen=True, slots=True)
class Evidence:
    """One attempt as the bundle has it. `attempt` is None for a task that was never started.

    `records` are the events the handler recorded, `children` the tasks it enqueued.
    """

    task: Mapping[str, Any]
    attempt: Mapping[str, Any] | None
    records: list[dict[str, Any]]
    children: list[dict[str, Any]]

    @property
    def type_there(self) -> Mapping[str, Any]:
        """The task type as the catalogue had it when the bundle was made; empty when it had none."""
        types: list[Mapping[str, Any]] = self.task["types"]
        return next((entry for entry in types if entry["current"]), {})

    @property
    def worker_there(self) -> Mapping[str, Any]:
        """What the worker of the attempt said of itself; empty when that is not known."""
        worker_id = self.attempt["worker_id"] if self.attempt else None
        workers: list[Mapping[str, Any]] = self.task["workers"]
        return next((worker for worker in workers if worker["worker_id"] == worker_id), {})

    def claimed(self, timeout_seconds: float | None) -> ClaimedTask:
        """The task as its worker got it, with another deadline when one is given."""
        row = self.attempt["row"] if self.attempt else self.task["row"]
        begun = {} if self.attempt else {"attempt": row["attempt"] + 1, "lease": row["version"] + 1}
        given = {**row, **begun, "params": self.task["params"], "trace": self.task["trace"]}
        given["created_at"] = datetime.fromisoformat(row["created_at"])
        given["run_at"] = datetime.fromisoformat(row["run_at"]) if row["run_at"] else None
        if timeout_seconds is not None:
            given["timeout_seconds"] = timeout_seconds
        return ClaimedTask(*(given[name] for name in ClaimedTask._fields))


def evidence_of(bundle: Bundle, number: int | None) -> Evidence:
    """The attempt of this number; without one, the last that failed, else the last.

    Raises Invalid when there is no such attempt.
    """
    task = bundle.read_json("task.json")
    attempts = task["attempts"]
    attempt = chosen(attempts)
    if number is not None:
        attempt = next((one for one in attempts if one["attempt"] == number), None)
        if attempt is None:
            known = ", ".join(str(one["attempt"]) for one in attempts) or "none"
            raise Invalid(f"The bundle has no attempt {number}.", hint=f"It has {known}.")
    related = [json.loads(line) for line in bundle.members["related.jsonl"].splitlines()]
    ended = attempt.get("ended_position") if attempt else None
    return Evidence(task, attempt, _records(related, ended), _children(related, task, attempt))


def _records(related: list[dict[str, Any]], ended: int | None) -> list[dict[str, Any]]:
    """Events that the end of the attempt caused on other streams: what the handler recorded."""
    return [
        {name: event[name] for name in ("type", "stream_type", "stream_id", "data")}
        for event in related
        if ended is not None and event["causation_id"] == ended and event["stream_type"] != "task"
    ]


def _children(
    related: list[dict[str, Any]], task: Mapping[str, Any], attempt: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Tasks that were enqueued up to the end of the attempt, and name this task's enqueue as their cause."""
    ended = attempt.get("ended_position") if attempt else None
    return [
        {"task_id": event["stream_id"], **{name: event["data"][name] for name in ("task_type", "params")}}
        for event in related
        if event["type"] == "task.enqueued"
        and event["causation_id"] == task["row"]["enqueued_position"]
        and (ended is None or event["position"] < ended)
    ]
