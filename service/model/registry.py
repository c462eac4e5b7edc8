"""Which class is the data of which event type."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar, dataclass_transform


class EventData:
    """The facts of one event."""

    __slots__ = ()


Data = TypeVar("Data", bound=EventData)
TYPES: dict[str, type[EventData]] = {}
FIELDS: dict[str, frozenset[str]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(event_type: str) -> Callable[[type[Data]], type[Data]]:
    """Make a class the data of an event type."""

    def register(cls: type[Data]) -> type[Data]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        TYPES[event_type] = made
        FIELDS[event_type] = frozenset(field.name for field in fields(made))  # type: ignore[arg-type]
        return made

    return register
