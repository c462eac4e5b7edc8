"""The line format of an export: a header, one line for each event, a footer. UTF-8, one JSON object a line.

    {"format": "annals-events", "format_version": 1, "epoch": ..., "first_position": 1, "last_position": 9,
     "selected": {"from": ..., "to": ..., "tasks": [...]}, "service_version": ..., "exported_at": ...}
    {"position": 1, ..., "recorded_at": "2026-01-31T12:00:00.000000Z", "digest": "<16 hex>", "data": {...}}
    {"events": 1, "digest": "<64 hex>"}

An event's line has every column. `data` stands last, as PostgreSQL prints the jsonb: its numbers keep their
digits. Times are UTC with six decimals. Positions grow from line to line; holes are rolled-back transactions.

The digest is one SHA-256 over the canonical bytes of the events (migrations/functions/event_bytes.sql) in the
order of the lines. They are length-prefixed and so need nothing in between. The footer has it whole; each
line has the first 16 hex digits of what it is up to and with this line, so that a changed line is named.
In SQL, for a log that fits:

    SELECT encode(sha256(string_agg(event_bytes(e), '' ORDER BY position)), 'hex') FROM events e;

The digest finds accidents and careless edits. Who can write the file can also compute the digest anew.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from service.audit.canonical import raw_event_bytes
from service.errors import Invalid

FORMAT, FORMAT_VERSION = "annals-events", 1
DATA = ',"data":'
LAST_POSITION, LAST_VERSION, LAST_BIGINT = 2**48 - 1, 2**31 - 1, 2**63 - 1
SHORT = 16
# Midnight at the end of a day has another spelling, too.
TIME = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", re.ASCII)
# What an export may end at: an import goes on from there, and must not use up the positions.
LAST_IMPORTED = 2**47


class RawEvent(NamedTuple):
    """A row of the log, its columns in canonical order; `data` is the text that PostgreSQL prints."""

    position: int
    stream_type: str
    stream_id: str
    version: int
    type: str
    data: str
    actor: str
    correlation_id: str | None
    causation_id: int | None
    trace: str | None
    recorded_at: datetime


COLUMNS = frozenset(RawEvent._fields) - {"data"} | {"digest"}
TEXTS = ("stream_type", "stream_id", "type", "actor")
NULLABLE_TEXTS = ("correlation_id", "trace")


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for, in the words of the one who asked; without tasks it is every event."""

    since: str | None = None
    until: str | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. No event of the file lies outside of first_position and last_position.

    last_position was settled when the export began, and may lie beyond the last event.
    """

    epoch: str
    first_position: int
    last_position: int
    service_version: str
    exported_at: datetime
    selected: Selection = field(default_factory=Selection)

    def line(self) -> str:
        """The header as JSON."""
        known = asdict(self) | {"exported_at": print_time(self.exported_at)}
        asked = known.pop("selected")
        selected = {"from": asked["since"], "to": asked["until"], "tasks": list(asked["tasks"])}
        return json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, **known, "selected": selected})


@dataclass(slots=True)
class Digest:
    """The digest so far, and over how many events."""

    events: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, event: RawEvent) -> str:
        """Take one more event; gives the short digest that stands on its line."""
        self._hash.update(raw_event_bytes(event))
        self.events += 1
        return str(self._hash.copy().hexdigest())[:SHORT]

    def hexdigest(self) -> str:
        """The whole digest."""
        return str(self._hash.hexdigest())

    def footer(self) -> str:
        """The last line."""
        return json.dumps({"events": self.events, "digest": self.hexdigest()})


def print_event(event: RawEvent, digest: str) -> str:
    """The line of an event, without its end."""
    quote, null = encode_basestring, "null"
    return (
        f'{{"position":{event.position},"stream_type":{quote(event.stream_type)}'
        f',"stream_id":{quote(event.stream_id)},"version":{event.version},"type":{quote(event.type)}'
        f',"actor":{quote(event.actor)}'
        f',"correlation_id":{null if event.correlation_id is None else quote(event.correlation_id)}'
        f',"causation_id":{null if event.causation_id is None else event.causation_id}'
        f',"trace":{null if event.trace is None else quote(event.trace)}'
        f',"recorded_at":"{print_time(event.recorded_at)}","digest":"{digest}"{DATA}{event.data}}}'
    )


def parse_event(line: str) -> tuple[RawEvent, str]:
    """The event of a line and its short digest; `data` is taken as it stands there. Raises Invalid."""
    # The first place of this text is where data begins: inside a string its quotes would be escaped.
    head, found, data = line.partition(DATA)
    if not found or not data.endswith("}"):
        raise Invalid("this is no event: it does not end with its data")
    known = _parse_object(head + "}")
    if known.keys() != COLUMNS:
        odd = ", ".join(sorted(known.keys() ^ COLUMNS))
        raise Invalid(f"this is no event: fields missing or not known: {odd}")
    digest = known.pop("digest")
    return checked_event(known | {"data": data[:-1], "recorded_at": parse_time(known["recorded_at"])}), digest


def checked_event(columns: Mapping[str, Any]) -> RawEvent:
    """The event of these columns, `data` as text. Raises Invalid for a value that the log cannot hold."""
    event = RawEvent(**columns)
    _check_number("position", event.position, LAST_POSITION)
    _check_number("version", event.version, LAST_VERSION)
    if event.causation_id is not None:
        _check_number("causation_id", event.causation_id, LAST_BIGINT, least=-LAST_BIGINT - 1)
    for name in TEXTS:
        _check_text(name, columns[name])
    for name in NULLABLE_TEXTS:
        if columns[name] is not None:
            _check_text(name, columns[name])
    return event


def parse_header(line: str) -> Header:
    """The header of a first line. Raises Invalid when the file is no export, or of a format to come."""
    known = _parse_object(line)
    if known.get("format") != FORMAT:
        raise Invalid("this is no export of a log", hint="annals audit export writes one.")
    if known.get("format_version") != FORMAT_VERSION:
        found = known.get("format_version")
        raise Invalid(f"format version {found!r} is not known here", hint="Import it with a newer release.")
    try:
        asked = known["selected"]
        header = Header(
            epoch=str(known["epoch"]),
            first_position=known["first_position"],
            last_position=known["last_position"],
            service_version=str(known["service_version"]),
            exported_at=parse_time(known["exported_at"]),
            selected=Selection(asked["from"], asked["to"], tuple(asked["tasks"])),
        )
    except (KeyError, TypeError) as error:
        raise Invalid(f"the header is not complete: {error}") from error
    _check_number("first_position", header.first_position, LAST_POSITION + 1)
    _check_number("last_position", header.last_position, LAST_IMPORTED, least=0)
    return header


def parse_footer(line: str) -> tuple[int, str]:
    """The number of events and the whole digest. Raises Invalid."""
    known = _parse_object(line)
    if known.keys() != {"events", "digest"} or type(known["events"]) is not int:
        raise Invalid("this is neither an event nor the footer")
    return known["events"], str(known["digest"])


def print_time(time: datetime) -> str:
    """In UTC, to the microsecond, with Z."""
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def parse_time(text: Any) -> datetime:
    """What print_time printed. Raises Invalid for every other spelling: it would not come out the same."""
    try:
        if TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        pass
    raise Invalid(f"{text!r} is no time as in 2026-01-31T12:00:00.000000Z")


def _parse_object(text: str) -> dict[str, Any]:
    try:
        known = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"this is not JSON: {error}") from error
    if not isinstance(known, dict):
        raise Invalid("this is no JSON object")
    return known


def _check_number(name: str, value: object, most: int, least: int = 1) -> None:
    if type(value) is not int or not least <= value <= most:
        raise Invalid(f"{name} is {str(value)[:40]}: not a whole number from {least} to {most}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise Invalid(f"{name} is no text")
    if "\0" in value:
        raise Invalid(f"{name} holds a zero byte, which PostgreSQL cannot store")
    if not value.isprintable():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Invalid(f"{name} holds half a surrogate pair, which UTF-8 cannot spell") from error
