"""The rule by which failures are grouped, on errors as they really look; and its ids, frozen."""

import asyncio
import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

HERE = "sql/test_fingerprints.py"
FROZEN = Path(__file__).with_name("fingerprints.json")
Connection = psycopg.Connection[Any]


def broken(value: str) -> int:
    return int(value)


def nested() -> None:
    def inner() -> None:
        broken("x")

    inner()


def chained() -> None:
    try:
        broken("x")
    except ValueError as error:
        raise RuntimeError("no invoice") from error


def in_context() -> None:
    try:
        broken("x")
    except ValueError:
        {}["missing"]


def in_the_library() -> None:
    json.loads("{")


def in_a_comprehension() -> None:
    [broken(text) for text in ("1", "x")]


def in_a_lambda() -> None:
    (lambda: broken("x"))()


async def sleeping() -> None:
    await asyncio.wait_for(asyncio.sleep(60), 0.001)  # to be cut off: its traceback is what counts


async def gathering() -> None:
    async def one() -> None:
        broken("x")

    await asyncio.gather(one())


async def grouped() -> None:
    async def one() -> None:
        broken("x")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one())


def deep(n: int = 0) -> None:
    deep(n + 1)


def run_async(work: Callable[[], Any]) -> Callable[[], None]:
    return lambda: asyncio.run(work())


RAISED = [
    (nested, "broken"),
    (chained, "chained"),
    (in_context, "in_context"),
    (in_the_library, "in_the_library"),
    (in_a_comprehension, "broken"),
    (in_a_lambda, "broken"),
    (run_async(sleeping), "sleeping"),
    (run_async(gathering), "broken"),
    (run_async(grouped), "grouped"),
    (deep, "deep"),
]


def told(work: Callable[[], None]) -> str:
    """The traceback as a worker keeps it."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        work()
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("work", "function"), RAISED, ids=lambda value: getattr(value, "__name__", value))
def test_the_frame_is_the_innermost_of_ones_own(
    connection: Connection, work: Callable[[], None], function: str
) -> None:
    row = connection.execute("SELECT error_frame(%s)", [told(work)]).fetchone()
    assert row == (f"{HERE}:{function}",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValueError: no",
        "TypeError: x is undefined\n    at charge (/srv/app/index.js:7:11)",
        "java.lang.IllegalStateException: no\n\tat shop.Billing.charge(Billing.java:7)",
        '  File "/srv/x.py", line 3\n    def (\nSyntaxError: invalid syntax',
        "Traceback (most recent call last):\n",
    ],
)
def test_what_is_no_python_traceback_has_no_frame(connection: Connection, text: str) -> None:
    assert connection.execute("SELECT error_frame(%s)", [text]).fetchone() == (None,)


SAME = [
    ("order 17 of 'kim' is gone", "order 4711 of 'o''neill' is gone"),
    ("주문 17번을 찾을 수 없습니다: /데이터/보고서.pdf", "주문 4711번을 찾을 수 없습니다: /tmp/x.pdf"),
    ("at 2026-01-31T12:00:00Z", "at 2026-11-21 07:30:01.5+09:00"),
    ("GET https://a.example/v1/17?x=1 failed", "GET http://b.example failed"),
    ("<Task at 0x7f1b2c3d4e50>", "<Task at 0x10>"),
    ("missing: 1, 2, 3", "missing: 7"),
    ("off by -3.5", "off by 12"),
    ("bad payload '" + '{"a": 1}' * 500, "bad payload 'x'"),
    ("Task timeout exceeded (5 minutes)", "Task timeout exceeded (90 seconds)"),
    ("5f3c0c5e-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-000000000000"),
    ("two\n  lines", "two lines"),
]
DIFFERENT = [
    ("order is gone", "invoice is gone"),
    ("cannot decode utf8", "cannot decode latin1"),
    ("주문이 없습니다", "청구서가 없습니다"),
    ("int32 overflow", "int64 overflow"),
]


def pattern_of(connection: Connection, message: str) -> Any:
    return connection.execute("SELECT error_pattern(%s)", [message]).fetchone()


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_changes_from_one_occurrence_to_the_next_does_not_count(
    connection: Connection, one: str, other: str
) -> None:
    assert pattern_of(connection, one) == pattern_of(connection, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_says_which_error_it_is_counts(connection: Connection, one: str, other: str) -> None:
    assert pattern_of(connection, one) != pattern_of(connection, other)


@pytest.mark.parametrize("case", json.loads(FROZEN.read_text()), ids=lambda case: case["id"])
def test_an_id_stays_what_it_is(connection: Connection, case: dict[str, Any]) -> None:
    """A change here splits every group of every installation: see functions/error_fingerprint.sql."""
    error = [case["task_type"], case["error_type"], case["message"], case["traceback"]]
    assert connection.execute("SELECT error_fingerprint(%s, %s, %s, %s)", error).fetchone() == (case["id"],)
