"""The canonical bytes of an event, as the SQL function `event_bytes` gives them.

Written a second time so that an export can be checked without a database. The layout is described in
migrations/functions/event_bytes.sql and frozen by a test vector: change it only under a new version byte.
"""

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.audit.lines import RawEvent

FORMAT = b"\x01"
NULL = b"\xff\xff\xff\xff"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EIGHT, LENGTH = struct.Struct(">Iq").pack, struct.Struct(">I").pack
FIELDS = (
    "position",
    "stream_type",
    "stream_id",
    "version",
    "type",
    "data",
    "actor",
    "correlation_id",
    "causation_id",
    "trace",
    "recorded_at",
)


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """The bytes of an event given by its columns; `data` is what `parse_json` made of its text.

    Raises KeyError when a column is missing, TypeError for a number in `data` that is a float: its digits
    would depend on who printed them.
    """
    return FORMAT + b"".join(_field(name, event[name]) for name in FIELDS)


def raw_event_bytes(event: "RawEvent") -> bytes:
    """The same bytes from an event whose `data` is its canonical text: quick, and it cannot tell if it is."""
    position, stream_type, stream_id, version, name, data, actor, correlation, cause, trace, at = event
    return b"".join(
        (
            FORMAT,
            EIGHT(8, position),
            _text(stream_type),
            _text(stream_id),
            EIGHT(8, version),
            _text(name),
            _text(data),
            _text(actor),
            NULL if correlation is None else _text(correlation),
            NULL if cause is None else EIGHT(8, cause),
            NULL if trace is None else _text(trace),
            EIGHT(8, (at - EPOCH) // MICROSECOND),
        )
    )


def parse_json(text: str) -> Any:
    """Parse JSON so that every number keeps its digits."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def print_json(value: Any) -> str:
    """JSON as Postgres prints jsonb: keys by length, then by bytes; numbers without an exponent."""
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quote(key)}: {print_json(value[key])}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(print_json, value)) + "]"
    if isinstance(value, str):
        return _quote(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, Decimal)):
        return _number(Decimal(value))
    raise TypeError(f"{value!r} has no canonical form; read the data with parse_json")


def _field(name: str, value: Any) -> bytes:
    if value is None:
        return NULL
    if name == "data":
        content = print_json(value).encode()
    elif name == "recorded_at":
        content = struct.pack(">q", (value - EPOCH) // MICROSECOND)
    elif isinstance(value, int):
        content = struct.pack(">q", value)
    else:
        content = str(value).encode()
    return struct.pack(">I", len(content)) + content


def _text(value: str) -> bytes:
    content = value.encode()
    return LENGTH(len(content)) + content


def _number(value: Decimal) -> str:
    text = format(value, "f")
    return text.removeprefix("-") if value.is_zero() else text


def _quote(text: str) -> str:
    """As Postgres escapes: control characters, quote and backslash, and nothing else."""
    return json.dumps(text, ensure_ascii=False)
