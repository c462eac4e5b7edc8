"""Errors in groups: random histories are counted as the reference does, and nobody waits."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.concurrency import Call, settle_at_once
from tests.model.database import Session, assert_folds_agree, session
from tests.model.history import Operation, programs, run
from tests.model.reference_errors import groups
from tests.model.reference_fingerprint import frame, pattern
from tests.model.world import ERRORS, TYPES, World

EXAMPLES = 300 if os.environ.get("ANNALS_MODEL") == "long" else 20
TOKENS = [
    *(
        "'",
        '"',
        "`",
        "/",
        "\\",
        " ",
        "a",
        "Z",
        "9",
        "-",
        ":",
        ".",
        ",",
        "_",
        "(",
        ")",
        "<",
        ">",
        "=",
        "~",
        "\n",
    ),
    *(
        "0x1f",
        "12:30:00",
        "2026-01-31T12:00:00Z",
        "abc123ef",
        "1234567890",
        "it's",
        "http://x/y",
        "1.5e5",
        "+5",
    ),
    *(
        "5f3c0c5e-0000-4000-8000-00000000000a",
        "“",
        "”",
        "「",
        "」",
        "주문",
        "é",
        "\t",
        "C:\\x",
        "../y",
        "utf8",
    ),
]
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
messages = st.one_of(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=40).map("".join), ANYTHING)
FRAMES = [
    ("/srv/shop/tasks.py", "charge"),
    ("/releases/20261121/shop/tasks.py", "charge"),
    ("/usr/lib/python3.11/json/decoder.py", "decode"),
    ("/venv/lib/python3.11/site-packages/requests/api.py", "get"),
    ("C:\\app\\shop\\tasks.py", "<lambda>"),
    ("tasks.py", "<listcomp>"),
    ("<frozen importlib._bootstrap>", "_call"),
    ("/home/kim/service/worker/executors.py", "run"),
]
BLOCK = "Traceback (most recent call last):\n"
tracebacks = st.lists(
    st.one_of(
        st.sampled_from(FRAMES).map(lambda f: f'  File "{f[0]}", line 7, in {f[1]}\n    code()\n'),
        st.sampled_from(
            [BLOCK, "ValueError: no\n\nDuring handling\n\n" + BLOCK, "  +-+------ 1 ------\n", "?\n"]
        ),
    ),
    max_size=12,
).map("".join)


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        settle_at_once(s)
        yield s


@given(program=programs, after=st.integers(0, 1000), until=st.integers(0, 1000))
@settings(max_examples=EXAMPLES)
def test_groups_are_what_the_reference_counts(
    world_session: Session, program: list[Operation], after: int, until: int
) -> None:
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        run(world, program)
        fold = assert_folds_agree(s)
        # Positions are not given back by a rollback: this history has drawn its own.
        start, length = s.value("SELECT min(position) FROM events") - 1, len(s.events())
        low, high = start + after * length // 1000, start + until * length // 1000
        expected = groups(fold.task_attempts.values(), low, high)
        found = {
            row.pop("fingerprint"): row for row in s.rows("SELECT * FROM errors_between(%s, %s)", low, high)
        }
        assert {key: {name: row[name] for name in expected[key]} for key, row in found.items()} == expected


@given(message=messages)
@settings(max_examples=EXAMPLES * 10)
def test_a_message_has_the_pattern_of_the_reference(world_session: Session, message: str) -> None:
    assert world_session.value("SELECT error_pattern(%s)", message) == pattern(message)


@given(traceback=tracebacks)
@settings(max_examples=EXAMPLES * 5)
def test_a_traceback_has_the_frame_of_the_reference(world_session: Session, traceback: str) -> None:
    assert world_session.value("SELECT error_frame(%s)", traceback) == frame(traceback)


def test_two_who_fail_in_the_same_way_do_not_wait_for_each_other(database: str) -> None:
    """A row of the group that both had to write would be waited for, inside the append fence."""
    with session(database) as one, session(database) as other, session(database) as watch:
        watch.call(
            "publish_task_types", types=[{"task_type": "noop", "code_version": "1", "max_attempts": 1}]
        )
        watch.rows("SELECT enqueue_task('noop') FROM generate_series(1, 2)")
        held = watch.rows("SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', 2)")

        def fail(s: Session, n: int) -> None:
            ended = {"task_ids": [held[n]["task_id"]], "leases": [held[n]["lease"]]}
            s.call("end_attempts", worker_id="w-1", outcomes=["failed"], details=[ERRORS[n]], **ended)

        with one.connection.transaction():
            fail(one, 0)
            call = Call(other, watch, lambda s: fail(s, 1))
            assert call.settle(), "it waits for the other's failure"
        call.result()
        (group,) = watch.rows("SELECT * FROM errors")
        assert (group["occurrences"], group["tasks"], group["final"]) == (2, 2, 2)
        assert (group["pattern"], group["frame"]) == ("order <n> of <text>", "shop/tasks.py:charge")
        assert_folds_agree(watch)
