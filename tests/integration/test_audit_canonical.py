"""The canonical bytes of an event: frozen, and the same in SQL and Python."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.canonical import EPOCH, FIELDS, event_bytes, parse_json, print_json

VECTOR = {
    "position": 4711,
    "stream_type": "task",
    "stream_id": "task-100000001",
    "version": 3,
    "type": "task.completed",
    "data": '{"result": {"대상": "é", "n": 1.50, "list": [true, null, 1e3], "": "\\"\\u001f\\\\"},'
    ' "attempt": 1}',
    "actor": "worker:w-1",
    "correlation_id": None,
    "causation_id": 4710,
    "trace": "",
    "recorded_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
}
# Frozen: exports and seals of earlier releases were made of these bytes.
FROZEN = (
    "01000000080000000000001267000000047461736b0000000e7461736b2d313030303030303031000000080000"
    "0000000000030000000e7461736b2e636f6d706c65746564000000637b22726573756c74223a207b22223a2022"
    "5c225c75303031665c5c222c20226e223a20312e35302c20226c697374223a205b747275652c206e756c6c2c20"
    "313030305d2c2022eb8c80ec8381223a2022c3a9227d2c2022617474656d7074223a20317d0000000a776f726b"
    "65723a772d31ffffffff00000008000000000000126600000000000000080006475ef6574f35"
)
SQL = """
    SELECT event_bytes(ROW(
        %(position)s, %(recorded_at)s, %(causation_id)s, %(version)s, %(stream_type)s, %(stream_id)s,
        %(type)s, %(actor)s, %(correlation_id)s, %(trace)s, %(data)s::jsonb)::events)
"""

texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
numbers = (
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30) | st.integers()
)
documents = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
events = st.fixed_dictionaries(
    {
        "position": st.integers(1, 2**48),
        "version": st.integers(1, 2**31 - 1),
        "stream_type": texts,
        "stream_id": texts,
        "type": texts,
        "actor": texts,
        "data": st.dictionaries(texts, documents, max_size=5),
        "correlation_id": st.none() | texts,
        "causation_id": st.none() | st.integers(1, 2**48),
        "trace": st.none() | texts,
        "recorded_at": moments,
    }
)


@pytest.fixture(scope="module")
def connection(shared_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shared_database) as connection:
        yield connection


def in_sql(connection: psycopg.Connection[Any], event: dict[str, Any]) -> bytes:
    row = connection.execute(SQL, event).fetchone()
    assert row
    return bytes(row[0])


def test_the_vector_is_frozen_in_sql(connection: psycopg.Connection[Any]) -> None:
    assert in_sql(connection, VECTOR).hex() == FROZEN


def test_the_vector_is_frozen_in_python() -> None:
    assert event_bytes(VECTOR | {"data": parse_json(str(VECTOR["data"]))}).hex() == FROZEN


@settings(max_examples=200)
@given(event=events)
def test_sql_and_python_agree(connection: psycopg.Connection[Any], event: dict[str, Any]) -> None:
    text = as_json(event["data"])
    assert event_bytes(event | {"data": parse_json(text)}) == in_sql(connection, event | {"data": text})


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_counts(name: str) -> None:
    data = parse_json(str(VECTOR["data"]))
    others: dict[str, Any] = {
        "data": data | {"more": Decimal(1)},
        "recorded_at": EPOCH + timedelta(microseconds=1),
    }
    value = VECTOR[name]
    other = others.get(name) or ((value or 0) + 1 if isinstance(value, int) else f"{value}x")
    assert event_bytes(VECTOR | {"data": data, name: other}) != event_bytes(VECTOR | {"data": data})


def test_neighbouring_fields_cannot_be_shifted() -> None:
    data = parse_json("{}")
    one = VECTOR | {"data": data, "stream_type": "ab", "stream_id": "c"}
    other = VECTOR | {"data": data, "stream_type": "a", "stream_id": "bc"}
    assert event_bytes(one) != event_bytes(other)


def test_null_is_not_the_empty_text() -> None:
    data = parse_json("{}")
    assert event_bytes(VECTOR | {"data": data, "trace": None}) != event_bytes(
        VECTOR | {"data": data, "trace": ""}
    )


def test_a_float_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="parse_json"):
        print_json({"n": 1.5})


def as_json(value: Any) -> str:
    """JSON with every digit of a Decimal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {as_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
