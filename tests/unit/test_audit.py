"""The pure parts of the audit: explaining a row, sizing a chunk."""

from typing import Any

import pytest

from service.audit.explaining import differing_columns, explain, finding_of
from service.audit.findings import FAULTS, fault_of, kind_of
from service.audit.reader import Chunk

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


def test_without_states_nothing_is_explained() -> None:
    assert explain(BORN, []) == (None, ())


def test_only_what_differs_is_a_differing_column() -> None:
    assert differing_columns(BORN, RUNS) == ("attempt", "status")


def test_kinds_follow_from_what_is_there() -> None:
    assert (kind_of(None, BORN), kind_of(BORN, None), kind_of(BORN, RUNS)) == (
        "missing",
        "surplus",
        "differs",
    )


TYPES = ("task.enqueued", "task.started", "task.failed")
STEPS: list[dict[str, Any]] = [
    {"version": n, "type": kind, "position": 10 * n, "stream": "task/t-1", "state": state}
    for (n, state), kind in zip(LIFE, TYPES, strict=True)
]
GONE = {"version": 2, "type": "agent.deleted", "position": 40, "stream": "agent/a", "state": None}


@pytest.mark.parametrize(
    ("kept", "folded", "steps", "words"),
    [
        (
            ENDS | {"error": "yes"},
            ENDS,
            STEPS,
            "event 3 (task.failed, position 30) says error no; t says error yes; no version explains error",
        ),
        (
            ENDS | {"error": None},
            ENDS,
            STEPS,
            "event 3 (task.failed, position 30) says error no; t says error null",
        ),
        (
            BORN | {"status": "x", "attempt": 7},
            BORN,
            [],
            "the log says attempt 0, status pending; t says attempt 7, status x",
        ),
        (
            BORN,
            ENDS,
            STEPS,
            "t is as after event 1 (task.enqueued, position 10), and does not know event 2 (task.started, "
            "position 20): attempt, error, status",
        ),
        (None, ENDS, STEPS, "event 1 (task.enqueued, position 10) makes the row; t has none"),
        (None, ENDS, [], "the log makes the row; t has none"),
        (
            ENDS,
            None,
            [*STEPS, GONE],
            "event 2 of agent/a (agent.deleted, position 40) takes the row away; t still has it",
        ),
        (ENDS, None, [GONE], "no event makes the row; t has it"),
        (
            {"version": 4, "status": "x"},
            {"version": 3, "status": "failed"},
            STEPS,
            "t has seen event 4; the log ends with event 3 (task.failed, position 30)",
        ),
        (
            {"result": "x" * 60, "changed_position": 9},
            {"result": None, "changed_position": 9},
            [],
            f"the log says result null; t says result {'x' * 47}… since position 9",
        ),
    ],
    ids=[
        "a value that no event gave",
        "a mixture of states",
        "a stream that is not told again",
        "an old row",
        "a missing row",
        "a missing row of a stream that is not told again",
        "a row that was taken away",
        "a row that nothing makes",
        "a row that saw more than there is",
        "a long value",
    ],
)
def test_an_explanation_names_both_sides(
    kept: dict[str, Any] | None, folded: dict[str, Any] | None, steps: list[dict[str, Any]], words: str
) -> None:
    row = {"row_key": {}, "kept": kept, "folded": folded}
    assert finding_of("t", "task/t-1", row, steps).explanation == words


def test_more_columns_than_a_line_takes_are_counted() -> None:
    kept, folded = dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2)
    finding = finding_of("t", "task/t-1", {"row_key": {}, "kept": kept, "folded": folded})
    assert len(finding.claims) == 5
    assert finding.explanation == "the log says a 2, b 2, c 2; t says a 1, b 1, c 1 (and 2 more columns)"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_an_event_has_words_and_a_kind(fault: str) -> None:
    row = {"stream_id": "t", "fault": fault, "version": 3, "position": 9, "type": "task.x", "expected": 2}
    finding = fault_of("task", row | {"fact": None})
    assert finding.kind == ("hole" if fault in ("hole", "doubled", "misplaced") else "impossible")
    assert (finding.read_model, finding.stream) == ("events", "task/t")
    assert "3" in finding.explanation and "9" in finding.explanation


def test_a_chunk_grows_and_shrinks_to_its_time_within_bounds() -> None:
    chunk = Chunk(streams=1000, events=4000, seconds=1.0)
    assert chunk.after(0.8).streams == 1250
    assert (chunk.after(0.01).streams, chunk.after(1.5).streams) == (2000, 667)
    assert (Chunk(600, 9, 1.0).after(9).streams, Chunk(9_000, 9, 1.0).after(0.1).streams) == (500, 10_000)
    assert Chunk(7, 7).after(9) == Chunk(7, 7), "without a time it stays"
