"""The line format of an export: what is printed is read again, and what is odd is refused by name."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.audit.canonical import event_bytes, parse_json
from service.audit.lines import (
    Digest,
    Header,
    RawEvent,
    Selection,
    parse_event,
    parse_footer,
    parse_header,
    print_event,
)
from service.errors import Invalid

EVENT = RawEvent(
    position=4711,
    stream_type="task",
    stream_id='a ",\\"data\\":" 작업 \u2028\x1f',
    version=3,
    type="task.completed",
    data='{"n": 1.50, "big": 123456789012345678901234567890, ",\\"data\\":": "\\u001f"}',
    actor="worker:w-1",
    correlation_id=None,
    causation_id=4710,
    trace="",
    recorded_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
)
HEADER = Header("e-1", 1, 9, "0.1.0", datetime(2026, 1, 2, tzinfo=UTC), Selection("1", None, ("t-1", "t-2")))


def line_of(event: RawEvent) -> str:
    return print_event(event, Digest().add(event))


def changed(**columns: Any) -> str:
    """The line of EVENT with other JSON values."""
    head, _, data = line_of(EVENT).partition(',"data":')
    return json.dumps(json.loads(head + "}") | columns, separators=(",", ":"))[:-1] + ',"data":' + data


def test_an_event_is_read_as_it_was_printed() -> None:
    line = line_of(EVENT)
    assert "\n" not in line
    assert parse_event(line) == (EVENT, Digest().add(EVENT))
    assert json.loads(line)["data"]["big"] == 123456789012345678901234567890


def test_the_header_is_read_as_it_was_printed() -> None:
    assert parse_header(HEADER.line()) == HEADER
    assert json.loads(HEADER.line())["exported_at"] == "2026-01-02T00:00:00.000000Z"


def test_the_digest_can_be_computed_from_the_lines_alone() -> None:
    """As the docstring says: one SHA-256 over the canonical bytes, line after line."""
    digest, whole = Digest(), hashlib.sha256()
    for position in (1, 5, 6):
        line = print_event(event := EVENT._replace(position=position), digest.add(event))
        read = parse_json(line)
        columns = read | {"recorded_at": datetime.fromisoformat(read["recorded_at"])}
        columns |= {name: int(read[name]) for name in ("position", "version", "causation_id")}
        whole.update(event_bytes(columns))
        assert read["digest"] == whole.hexdigest()[:16]
    assert parse_footer(digest.footer()) == (3, whole.hexdigest())


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"position": 0}, "position is 0"),
        ({"position": "1"}, "position is 1"),
        ({"position": True}, "position is True"),
        ({"position": 1.0}, "position is 1.0"),
        ({"position": 2**48}, "position is 281474976710656"),
        ({"version": 2**31}, "version is"),
        ({"causation_id": 2**63}, "causation_id is"),
        ({"stream_id": None}, "stream_id is no text"),
        ({"actor": "\0"}, "actor holds a zero byte"),
        ({"trace": "\ud800"}, "trace holds half a surrogate"),
        ({"correlation_id": 1}, "correlation_id is no text"),
        ({"recorded_at": "2026-01-02"}, "is no time as in"),
        ({"recorded_at": "2026-01-02T03:04:05.678901+00:00"}, "is no time as in"),
        ({"recorded_at": "2026-01-02T03:04:05.678901"}, "is no time as in"),
        ({"recorded_at": "2026-01-02T24:00:00.000000Z"}, "is no time as in"),
        ({"recorded_at": "2026-02-30T03:04:05.678901Z"}, "is no time as in"),
        ({"recorded_at": None}, "is no time as in"),
        ({"recorded_at": "infinity"}, "is no time as in"),
        ({"more": 1}, "not known: more"),
    ],
)
def test_what_the_log_cannot_hold_is_refused(columns: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        parse_event(changed(**columns))


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "{}", "[" * 100_000, '{"position":1,"data":{}}', "[" * 100_000 + ',"data":{}}']
)
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(Invalid):
        parse_event(line)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{}", "no export of a log"),
        ("PAR2", "not JSON"),
        (HEADER.line().replace('"format_version": 1', '"format_version": 2'), "version 2 is not known"),
        (HEADER.line().replace('"epoch"', '"apoch"'), "not complete"),
        (HEADER.line().replace('"last_position": 9', '"last_position": -1'), "last_position is -1"),
        (HEADER.line().replace('"from"', '"form"'), "not complete"),
    ],
)
def test_a_header_that_is_none_is_refused(line: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        parse_header(line)


@pytest.mark.parametrize("line", ["{}", '{"events": "1", "digest": ""}', '{"events": true, "digest": ""}'])
def test_a_footer_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(Invalid, match="neither an event nor the footer"):
        parse_footer(line)
