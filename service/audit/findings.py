"""What a verify finds, and the words for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, Any]
# A row differs from the log, is missing, is there although the log does not make it (surplus), or belongs to
# a stream without events (stray); a stream has a hole or cannot be folded; an event cannot have been written.
Kind = Literal["differs", "missing", "surplus", "stray", "hole", "impossible", "unfoldable"]

# What is wrong with one event, as queries/faults.sql finds it. fact is what its neighbours say.
FAULTS: Mapping[str, str] = {
    "doubled": "there is more than one event {version}; this one is {type} at position {position}",
    "hole": "event {expected} is missing: {event} comes in its place",
    "misplaced": "event {expected} stands at position {fact}, behind {event}",
    "later_cause": "{event} names position {fact} as its cause, which is not before it",
    "no_cause": "{event} names position {fact} as its cause, where there is no event",
    "clock": "{event} is recorded more than a day before the one that it follows, of {fact}",
    "future": "{event} is recorded at {fact}, which is more than a day from now",
    "correlation": "{event} has another correlation_id than its stream: {fact}",
    "attempt": "{event} does not say attempt {fact}, which it is by its stream",
    "actor": "{event} names another actor than its own worker, {fact}",
    "unhanded": "{event} is at a position that the log has never handed out",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A column in which row and log contradict each other, and the event that last gave it the log's value.

    The event is not known when the stream itself is broken, or too long to be told again.
    """

    column: str
    row: Any
    log: Any
    version: int | None = None
    type: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One row, or one event, that does not hold. `read_model` is `events` when the log itself is at fault.

    `equals_version` is the last version of the stream after which the row looked like this; when there is
    none, `unexplained` names the columns whose value no version ever gave them. `claims` has every differing
    column with what both sides say. `explanation` is one line for a person.
    """

    kind: Kind
    read_model: str
    stream: str
    row_key: Row
    explanation: str
    columns: tuple[str, ...] = ()
    equals_version: int | None = None
    unexplained: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()


def fault_of(stream_type: str, row: Row) -> Finding:
    """The finding for one row of queries/faults.sql."""
    fault = "misplaced" if row["fault"] == "hole" and row["fact"] else row["fault"]
    kind: Kind = "hole" if fault in ("doubled", "hole", "misplaced") else "impossible"
    event = "event {version} ({type}, position {position})".format_map(row)
    explanation = FAULTS[fault].format(event=event, **row)
    key = {"version": row["version"], "position": row["position"]}
    return Finding(kind, "events", f"{stream_type}/{row['stream_id']}", key, explanation)


def unhanded(row: Row) -> Finding:
    """The finding for one row of queries/unhanded_positions.sql."""
    return fault_of(row["stream_type"], {"fault": "unhanded", "fact": None, "expected": None, **row})


def kind_of(kept: Row | None, folded: Row | None) -> Kind:
    """Which kind of finding two unequal states are."""
    if kept is None:
        return "missing"
    return "surplus" if folded is None else "differs"
