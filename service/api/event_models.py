"""Events as the API shows them: one model, filters, and cursors that know which log they belong to."""

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple, TypedDict

from pydantic import AfterValidator, Field, JsonValue

from service.api.problems import Gone
from service.api.routing import Answer, Model
from service.model.events import Event

CURSOR = re.compile(r"(?:(?P<epoch>[0-9a-f-]{36}):)?(?P<position>\d{1,15})")
TYPE = re.compile(r"[A-Za-z0-9_.*-]{1,100}")
STREAM = re.compile(r"[^/\0]{1,100}(/[^\0]{1,500})?", re.DOTALL)


class Cursor(NamedTuple):
    """A place in a log: everything after `position` is to come; without an epoch it is any log's."""

    epoch: str | None
    position: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.position}" if self.epoch else str(self.position)


def parse_cursor(text: str) -> Cursor:
    """Read "<epoch>:<position>" or "<position>"; raises ValueError."""
    found = CURSOR.fullmatch(text)
    if not found:
        raise ValueError("not a cursor: give a position, or what `next` or `id` said")
    return Cursor(found["epoch"], int(found["position"]))


def cursor_text(text: str) -> str:
    parse_cursor(text)
    return text


def _type(text: str) -> str:
    if not TYPE.fullmatch(text):
        raise ValueError("not an event type, as in task.completed or coverage.*")
    return text


def _stream(text: str) -> str:
    if not STREAM.fullmatch(text):
        raise ValueError("not a stream, as in task/task-100000001, or task for all of that kind")
    return text


class Search(TypedDict):
    """What LogReader.search is to look for."""

    types: list[str] | None
    stream_type: str | None
    stream_id: str | None


class EventFilter(Model):
    """Which events are wanted; everything when nothing is said."""

    type: list[Annotated[str, AfterValidator(_type)]] = Field(
        default=[],
        max_length=50,
        description="Event types, `*` for any ending: `task.completed`, `coverage.*`.",
    )
    stream: Annotated[str, AfterValidator(_stream)] | None = Field(
        default=None, description="One stream (`task/task-100000001`), or all of a kind (`task`)."
    )

    @property
    def stream_type(self) -> str | None:
        """The kind of stream that is wanted."""
        return self.stream.partition("/")[0] if self.stream else None

    @property
    def stream_id(self) -> str | None:
        """The one stream that is wanted."""
        return self.stream.partition("/")[2] or None if self.stream else None

    @property
    def is_everything(self) -> bool:
        """Whether every event is wanted."""
        return not self.type and self.stream is None

    def as_search(self) -> Search:
        """The arguments of LogReader.search; types as SQL LIKE patterns."""
        patterns = [re.sub(r"([_%\\])", r"\\\1", name).replace("*", "%") for name in self.type]
        return {"types": patterns or None, "stream_type": self.stream_type, "stream_id": self.stream_id}

    def takes(self, entry: "Entry") -> bool:
        """Whether an event is wanted."""
        return (
            self.stream_type in (None, entry.stream_type)
            and self.stream_id in (None, entry.stream_id)
            and (not self.type or any(fnmatchcase(entry.type, pattern) for pattern in self.type))
        )


class EventModel(Answer):
    """One event of the log."""

    position: int = Field(description="Place in the one global order.")
    stream_type: str
    stream_id: str
    version: int = Field(description="Place in its stream, from 1.")
    type: str
    data: dict[str, JsonValue]
    actor: str
    correlation_id: str | None
    causation_id: int | None
    trace: str | None
    recorded_at: datetime


class EventPage(Answer):
    """Events in the order of the log."""

    items: list[EventModel]
    next: str | None = Field(
        description="Pass as `after` for the next page; null when nothing more is settled yet."
    )
    cursor: str = Field(description="Where this page ends: pass as `after` later for what came since.")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event rendered once for every stream that shows it; `data` is its JSON."""

    position: int
    type: str
    stream_type: str
    stream_id: str
    data: bytes


def model(event: Event) -> EventModel:
    """An event of the store as it is shown."""
    values: dict[str, Any] = {name: getattr(event, name) for name in EventModel.model_fields}
    return EventModel.model_construct(**values)


def render(event: Event) -> Entry:
    """An event as one line of JSON, with what filters look at beside it."""
    data = model(event).model_dump_json().encode()
    return Entry(event.position, event.type, event.stream_type, event.stream_id, data)


def check_cursor(cursor: Cursor, epoch: str, head: int) -> None:
    """Raise Gone when a cursor belongs to another log, or points beyond the end of this one."""
    if cursor.epoch not in (None, epoch) or cursor.position > head:
        raise Gone(
            "This cursor belongs to another log, or lies beyond the end of this one.",
            hint="What you know may be of the other log: read again from after=0.",
        )
