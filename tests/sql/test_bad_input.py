"""Bad input to every SQL function: an SQLSTATE that says whose fault it is, and nothing changed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.resources import migrations_dir
from tests.sql.scene import head

CASES = Path(__file__).with_name("bad_input.sql")
# Helpers of this session, so that a call fits a line.
HELPERS = """
    CREATE FUNCTION pg_temp.big() RETURNS text LANGUAGE sql
        RETURN (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 10000) n);
    CREATE FUNCTION pg_temp.draft(text, text, text, jsonb) RETURNS event_draft[] LANGUAGE sql
        RETURN ARRAY[ROW($1, $2, $3, $4, NULL, NULL, NULL, NULL)::event_draft];
"""


def calls() -> Iterator[tuple[str, str]]:
    """(SQLSTATE or NOTHING, call) of each line of the file."""
    for group in re.split(r"^-- (?=[0-9A-Z]+$)", CASES.read_text(), flags=re.MULTILINE)[1:]:
        state, *lines = group.strip().splitlines()
        yield from ((state, line) for line in lines)


CALLS = list(calls())


@pytest.mark.parametrize(("state", "call"), CALLS, ids=[call[:60] for _, call in CALLS])
def test_bad_input_changes_nothing(connection: psycopg.Connection[Any], state: str, call: str) -> None:
    connection.execute(HELPERS.encode())
    before = head(connection)
    statement = re.sub(r"\b(big|draft)\(", r"pg_temp.\1(", f"SELECT * FROM {call}")
    if state == "NOTHING":
        connection.execute(statement.encode())
    else:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement.encode())
        assert caught.value.sqlstate == state, caught.value
        assert caught.value.diag.message_primary
    assert head(connection) == before


def test_every_function_that_writes_is_tried() -> None:
    """Those that take the time as an argument, which all that append do."""
    tried = {call.split("(")[0] for _, call in CALLS}
    inner = {"append_transitions", "change_queue", "draft_tasks", "judge_attempt", "record_repair"}
    # Wrappers of end_attempts, whose arguments are checked there.
    inner |= {"fail_task", "release_task", "time_out_task", "repair_strays"}
    files = migrations_dir().glob("functions/*.sql")
    writers = {
        path.stem
        for path in files
        if re.search(r"^ *at +timestamptz|, at timestamptz", path.read_text(), re.M)
    }
    assert writers - inner <= tried
