"""What jsonb brings is read as json reads it: the log must come back exactly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.wire import JSONB_VERSION, Json, _from_wire, _to_wire

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES.filter(lambda value: json.dumps(value, ensure_ascii=False).isprintable()))
def test_values_travel_both_ways(value: Any) -> None:
    assert repr(_from_wire(_to_wire(value))) == repr(value)


@pytest.mark.parametrize("text", ["1" + "0" * 40, "-12345678901234567890.125", "1.10", "1e400", '"\\u0001"'])
def test_numbers_of_any_size_are_read_as_json_reads_them(text: str) -> None:
    assert repr(_from_wire(JSONB_VERSION + text.encode())) == repr(json.loads(text))


def test_what_is_json_already_goes_as_it_is() -> None:
    assert _to_wire(Json('{"a": 1}')) == b'\x01{"a": 1}'
