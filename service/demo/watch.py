"""The tasks of the demo while they run, followed through the stream of events."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = {
    "task.completed": "completed",
    "task.failed": "failed",
    "task.timed_out": "timeout",
    "task.cancelled": "cancelled",
}


@dataclass(slots=True)
class Run:
    """One task of the demo: what is known of it so far. `percentage` is 0 to 100."""

    name: str
    task_id: str
    status: str = "pending"
    percentage: float = 0.0
    step: str = ""
    duration_ms: float | None = None
    error: str = ""
    error_type: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in TERMINAL.values()


def apply(run: Run, kind: str, data: Mapping[str, Any]) -> None:
    """Fold one event of the task's stream into what is known of it."""
    if kind == "task.started":
        run.status = "running"
    elif kind == "task.progressed":
        run.percentage = float(data.get("percentage") or run.percentage)
        run.step = str(data.get("step") or "")
    elif kind in TERMINAL:
        run.status = TERMINAL[kind]
        run.duration_ms = data.get("duration_ms")
        run.error = str(data.get("error_message") or data.get("error") or data.get("reason") or "")
        run.error_type = str(data.get("error_type") or "")
        run.percentage = 100.0 if run.status == "completed" else run.percentage
    elif kind in ("task.rescued", "task.released", "task.retry_scheduled"):
        run.status, run.percentage = "pending", 0.0


async def follow(
    messages: AsyncIterator[Mapping[str, Any]], runs: list[Run], changed: Callable[[Run], None]
) -> None:
    """Apply the log's events as they come, until every run is over; `changed` hears of each."""
    by_id = {run.task_id: run for run in runs}
    waiting = {run.task_id for run in runs if not run.is_over}
    while waiting:
        event = await anext(messages)
        run = by_id.get(str(event.get("stream_id")))
        if run is None:
            continue
        apply(run, str(event["type"]), event["data"])
        changed(run)
        if run.is_over:
            waiting.discard(run.task_id)
