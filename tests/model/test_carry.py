"""import(export(x)) is x: the log byte for byte, the read models row by row, for random histories."""

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.carrying import NAMES, Clone, cloning, contents, export_file, export_lines, import_file, pasts
from tests.integration.test_audit_canonical import as_json, documents, texts
from tests.model.database import Session, assert_folds_agree, session
from tests.model.history import Operation, programs, run
from tests.model.world import TYPES, World

if TYPE_CHECKING:
    from tests.conftest import Server

EXAMPLES = 100 if os.environ.get("ANNALS_MODEL") == "long" else 4
ODD: dict[str, Any] = {
    "": None,
    "\x1f\x7f\u2028\ue000\U0001f600": '\\u0000 is six letters, " and \\ and ,"data":',
    "digits": [
        Decimal("1.50"),
        Decimal("1E+400"),
        Decimal("-0"),
        Decimal("-0.000"),
        Decimal("1e-300"),
        2**200,
    ],
    "nested": {"a": {"bb": {"ccc": [[[{}]]]}}},
}
odd_events = st.lists(st.tuples(texts, st.dictionaries(texts, documents, max_size=4)), max_size=6)


@pytest.fixture(scope="module")
def clone(server: "Server", template: str) -> Clone:
    return cloning(server, template)


@given(program=programs, odd=odd_events)
@settings(max_examples=EXAMPLES)
def test_an_imported_export_is_the_log_it_came_from(
    clone: Clone, tmp_path: Path, program: list[Operation], odd: list[tuple[str, dict[str, Any]]]
) -> None:
    with clone() as source:
        with session(source) as s:
            live(s, program, [*odd, ("odd", ODD)])
            original = contents(s)
            past = pasts(s, original["settled"])
        lines = asyncio.run(export_lines(source))
        for name in NAMES:
            asyncio.run(export_file(source, tmp_path / name))
    for name in NAMES:
        with clone() as target:
            assert asyncio.run(import_file(target, tmp_path / name)) == len(original["events"])
            with session(target) as s:
                assert contents(s) == original
                assert pasts(s, original["settled"]) == past
                assert_folds_agree(s)
                assert next_position(s) == original["settled"] + 1
            again = asyncio.run(export_lines(target, until=original["settled"]))
            assert again[1:] == lines[1:]


def live(s: Session, program: list[Operation], odd: list[tuple[str, dict[str, Any]]]) -> None:
    """A history, and events of other streams with any content; some positions are lost in between."""
    s.call("publish_task_types", types=TYPES)
    world = World(s)
    world.prepare()
    run(world, program[::2])
    for stream_id, data in odd:
        statement = (
            "SELECT append_events(ARRAY[ROW('thing', %s, %s, %s::jsonb, %s, 7, %s, NULL)::event_draft])"
        )
        s.rows(statement, f"q{stream_id}", f"thing.{stream_id}", as_json(data), stream_id, stream_id)
        with s.connection.transaction(force_rollback=True):
            s.rows(statement, "lost", "thing.lost", "{}", None, None)
    run(world, program[1::2])


def next_position(s: Session) -> int:
    draft = "ARRAY[ROW('thing', 'next', 'thing.next', '{}', NULL, NULL, NULL, NULL)::event_draft]"
    return int(s.value(f"SELECT position FROM append_events({draft})"))
