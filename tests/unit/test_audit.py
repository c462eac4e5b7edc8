"""The pure parts of the audit: explaining a row, telling a life."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.audit.findings import MEANINGS, Finding, differing_columns, explain, kind_of
from service.audit.replay import changes, steps
from service.audit.timeline import described, duration, lines

BORN = {"status": "pending", "attempt": 0, "error": None}
RUNS = {"status": "running", "attempt": 1, "error": None}
ENDS = {"status": "failed", "attempt": 1, "error": "no"}
LIFE = [(1, BORN), (2, RUNS), (3, ENDS)]


@pytest.mark.parametrize(
    ("kept", "version", "unexplained"),
    [
        (RUNS, 2, ()),
        (BORN, 1, ()),
        (BORN | {"error": "tampered"}, None, ("error",)),
        (BORN | {"error": "no"}, None, ()),
    ],
    ids=["an earlier state", "the first state", "a foreign value", "a mixture of states"],
)
def test_a_row_is_explained_by_its_last_equal_version_or_by_columns(
    kept: dict[str, Any], version: int | None, unexplained: tuple[str, ...]
) -> None:
    assert explain(kept, LIFE) == (version, unexplained)


def test_of_two_equal_versions_the_last_one_is_named() -> None:
    assert explain(RUNS, [*LIFE, (4, None), (5, RUNS)]) == (5, ())


def test_a_missing_row_differs_in_no_column() -> None:
    assert differing_columns(None, BORN) == ()
    assert differing_columns(BORN, RUNS) == ("attempt", "status")


def test_kinds_follow_from_what_is_there() -> None:
    assert (kind_of(None, BORN), kind_of(BORN, None), kind_of(BORN, RUNS)) == (
        "missing",
        "surplus",
        "differs",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, MEANINGS["differs"]),
        ({"columns": ("a", "b")}, "differs in a, b"),
        ({"columns": ("a",), "unexplained": ("a",)}, "no version explains a"),
        ({"columns": ("a",), "equals_version": 3}, "as after version 3: a"),
        ({"equals_version": 3}, "as after version 3: later events are missing"),
        ({"detail": "said", "equals_version": 3}, "said"),
    ],
)
def test_a_finding_explains_itself_in_a_line(more: dict[str, Any], words: str) -> None:
    assert Finding("differs", "queues", "queue/default", {"queue": "default"}, **more).explanation == words


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(microseconds=3210), "3.21 ms"),
        (timedelta(seconds=41), "41 s"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=2.5), "2.5 h"),
        (timedelta(days=3), "3 d"),
        (timedelta(0), "0 ms"),
    ],
)
def test_durations_are_told_as_people_say_them(gap: timedelta, words: str) -> None:
    assert duration(gap) == words


def life() -> list[dict[str, Any]]:
    born = {
        "status": "pending",
        "task_type": "noop",
        "priority": 5,
        "attempt": 0,
        "subject": None,
        "version": 1,
    }
    runs = born | {"status": "running", "attempt": 1, "worker_id": "w-1", "version": 2}
    ends = runs | {"status": "completed", "result": {"text": "x" * 100}, "version": 3, "worker_id": "w-2"}
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    told = [
        ("task.enqueued", born),
        ("task.started", runs),
        ("task.completed", ends),
        ("agent.deleted", None),
    ]
    return [
        {
            "position": 10 * n,
            "version": n,
            "type": kind,
            "actor": "psql:me",
            "recorded_at": at + (n - 1) * timedelta(seconds=2),
            "data": {"n": n},
            "state": state,
        }
        for n, (kind, state) in enumerate(told, 1)
    ]


def test_a_step_tells_what_it_changed_and_the_gap_before_it() -> None:
    told = steps(life())
    assert [step.gap for step in told] == [None, *[timedelta(seconds=2)] * 3]
    assert told[1].changes == {"attempt": (0, 1), "worker_id": (None, "w-1")}
    assert [step.status for step in told] == ["pending", "running", "completed", "gone"]
    assert told[3].changes == {}


def test_plumbing_is_no_change_for_a_person() -> None:
    assert changes({"version": 1, "lease": None}, {"version": 2, "lease": 2}) == {}


def test_a_timeline_has_a_line_for_each_event_and_one_for_what_it_changed() -> None:
    text = [line.plain for line in lines(steps(life()))]
    assert (
        text[0].startswith("● 2026-01-02 03:04:05.000Z")
        and "task.enqueued" in text[0]
        and text[0].endswith("#10")
    )
    assert text[1].endswith("priority 5, task_type noop")
    assert "+2 s" in text[2] and "running" in text[2]
    assert text[3].endswith("attempt 1, worker_id w-1")
    assert "worker_id w-1 → w-2" in text[5] and "…" in text[5]
    assert "gone" in text[6] and len(text) == 7


def test_a_step_as_a_record_has_its_gap_in_milliseconds() -> None:
    first, second = steps(life())[:2]
    assert (first.as_record()["gap_ms"], second.as_record()["gap_ms"]) == (None, 2000)
    assert described(second) == "attempt 1, worker_id w-1"
