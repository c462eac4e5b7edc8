"""A task's life from the log: each event, who caused it, how long after the last one, and what it changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.audit.reader import Reader, snapshot
from service.errors import NotFound
from service.store.pool import Database

# They change with every event or repeat what the line says anyway.
PLUMBING = {"version", "lease", "ready_position", "queued_position", "started_position", "status", "lane"}
PLUMBING |= {"started_at", "completed_at", "changed_position"}


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a life; `gap` is None for the first, `state` (the row after it) when there is none."""

    position: int
    version: int
    type: str
    actor: str
    recorded_at: datetime
    gap: timedelta | None
    data: Mapping[str, Any]
    state: Mapping[str, Any] | None
    changes: Mapping[str, tuple[Any, Any]]

    @property
    def status(self) -> str:
        return str(self.state["status"]) if self.state else "gone"

    def as_record(self) -> dict[str, Any]:
        """For JSON lines: times as they are, the gap in milliseconds."""
        return {
            "position": self.position,
            "version": self.version,
            "type": self.type,
            "actor": self.actor,
            "recorded_at": self.recorded_at,
            "gap_ms": None if self.gap is None else self.gap / timedelta(milliseconds=1),
            "data": self.data,
            "state": self.state,
        }


async def replay(db: Database, task_id: str, until: int | None = None) -> list[Step]:
    """Fold a task's events one by one, up to a position when one is given. Raises NotFound."""
    async with snapshot(db) as connection:
        rows = await Reader(connection).row_states(
            "background_tasks", "task", task_id, {"task_id": task_id}, until
        )
    if not rows:
        before = f" at position {until}" if until is not None else ""
        raise NotFound(f"Task not found{before}: {task_id}", hint="annals tasks list shows what there is.")
    return steps(rows)


def steps(rows: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Steps of events in the order of their positions, each with the state after it."""
    told: list[Step] = []
    for row in rows:
        last = told[-1] if told else None
        told.append(
            Step(
                row["position"],
                row["version"],
                row["type"],
                row["actor"],
                row["recorded_at"],
                row["recorded_at"] - last.recorded_at if last else None,
                row["data"],
                row["state"],
                changes(last.state if last else None, row["state"]),
            )
        )
    return told


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    """Columns a person wants to see change, as (before, after); from nothing, those that hold something."""
    if after is None:
        return {}
    old = before or {}
    changed = {name: (old.get(name), value) for name, value in after.items() if old.get(name) != value}
    return {name: pair for name, pair in sorted(changed.items()) if name not in PLUMBING}
