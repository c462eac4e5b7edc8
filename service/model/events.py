"""An event as a row of the log, and the data of each event type as a class of its own.

Data only grows: a field that an old event lacks has a default, and a field that this release does not know is
left out. Fields that end in `_at` are times.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from service.model import (
    agent_events,
    fleet_events,
    retention_events,
    schedule_events,
    task_events,
    webhook_events,
)
from service.model.registry import FIELDS, TYPES, EventData

__all__ = [
    "TYPES",
    "Event",
    "EventData",
    "agent_events",
    "decode",
    "fleet_events",
    "retention_events",
    "schedule_events",
    "task_events",
    "webhook_events",
]


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


def decode(event_type: str, data: Mapping[str, Any]) -> EventData | None:
    """The data of an event as its class; None for a type that this release does not know.

    Raises TypeError when it lacks a field that it must have.
    """
    cls = TYPES.get(event_type)
    if cls is None:
        return None
    return cls(**{name: _value(name, value) for name, value in data.items() if name in FIELDS[event_type]})


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value
