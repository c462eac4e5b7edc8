"""The demo's live progress and tables, from events and answers as the service gives them."""

import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from rich.console import Console

from service.demo import report
from service.demo.screen import Screen
from service.demo.watch import Run, apply, follow

EVENTS: list[dict[str, Any]] = [
    {"stream_id": "other", "type": "task.completed", "data": {}},
    {"stream_id": "t1", "type": "task.started", "data": {"attempt": 1}},
    {"stream_id": "t1", "type": "task.progressed", "data": {"percentage": 40.0, "step": "4 of 10 nodes"}},
    {
        "stream_id": "t2",
        "type": "task.failed",
        "data": {"error_message": "no such agent", "duration_ms": 3.2},
    },
    {"stream_id": "t1", "type": "task.completed", "data": {"duration_ms": 41.7}},
]


async def stream(events: list[dict[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    for event in events:
        yield event


def screen(terminal: bool) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, force_terminal=terminal, width=120, highlight=False)), out


async def test_runs_follow_the_log_until_all_are_over() -> None:
    runs = [Run("One", "t1"), Run("Two", "t2")]
    seen: list[tuple[str, str, float]] = []
    await follow(stream(EVENTS), runs, lambda run: seen.append((run.name, run.status, run.percentage)))
    assert seen == [
        ("One", "running", 0.0),
        ("One", "running", 40.0),
        ("Two", "failed", 0.0),
        ("One", "completed", 100.0),
    ]
    assert (runs[0].duration_ms, runs[1].error) == (41.7, "no such agent")


@pytest.mark.parametrize("kind", ["task.rescued", "task.released", "task.retry_scheduled"])
def test_a_task_that_was_given_back_waits_again(kind: str) -> None:
    run = Run("One", "t1", status="running", percentage=40.0)
    apply(run, kind, {"attempt": 1})
    assert (run.status, run.percentage, run.is_over) == ("pending", 0.0, False)


@pytest.mark.parametrize(("kind", "status"), [("task.timed_out", "timeout"), ("task.cancelled", "cancelled")])
def test_other_ends_are_told_by_name(kind: str, status: str) -> None:
    run = Run("One", "t1", status="running")
    apply(run, kind, {"reason": "asked to"})
    assert (run.status, run.is_over, run.error) == (status, True, "asked to")


async def test_without_a_terminal_each_status_is_a_line() -> None:
    shown, out = screen(terminal=False)
    runs = [Run("One", "t1"), Run("Two", "t2")]
    with shown.bars(runs) as bars:
        await follow(stream(EVENTS), runs, bars.changed)
    lines = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    assert lines == ["One: running", "Two: failed in 3 ms: no such agent", "One: completed in 42 ms"]


async def test_on_a_terminal_bars_end_as_they_were_last() -> None:
    shown, out = screen(terminal=True)
    runs = [Run("One", "t1"), Run("Two", "t2")]
    with shown.bars(runs) as bars:
        await follow(stream(EVENTS), runs, bars.changed)
    last = out.getvalue().rpartition("One")[2]
    assert "100 %" in last and "completed in 42 ms" in last and "no such agent" in last


def test_results_say_why_there_is_no_coverage() -> None:
    agent = {"name": "Web", "scope_description": "The web"}
    row = report.result(agent, Run("Web", "t1", status="failed", error="boom"), {})
    assert [str(cell) for cell in row] == ["Web", "The web", "", "", "", "boom"]


def test_gaps_name_the_first_and_count_all() -> None:
    gaps = [{"missing_docs": 10 - index, "node_id": f"n{index}"} for index in range(4)]
    paths = {"n0": ("Topic", "Framework", "Django"), "n1": ("Framework",)}
    row = report.gap({"name": "Web"}, gaps, paths)
    assert [str(cell) for cell in row] == ["Web", "4", "34", "10 for Framework :: Django, 9 for Framework"]


def test_a_life_tells_time_actor_and_facts() -> None:
    events = [
        _event(7, "00.000", "task.enqueued", {"queue": "coverage", "params": {"x": 1}}),
        _event(9, "00.042", "task.completed", {"attempt": 1, "result": {"coverage_percent": 46.67}}),
    ]
    rows = [[str(cell) for cell in row] for row in report.life(events)]
    assert rows == [
        ["7", "0 ms", "task.enqueued", "api:test", "queue coverage"],
        ["9", "42 ms", "task.completed", "api:test", "attempt 1, coverage 46.67 %"],
    ]


def test_commands_are_neither_cut_nor_folded() -> None:
    shown, out = screen(terminal=True)
    shown.commands([("Look", "curl " + "x" * 300)])
    assert "curl " + "x" * 300 in out.getvalue()


def _event(position: int, second: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    at = f"2026-01-01T00:00:{second}Z"
    return {"position": position, "recorded_at": at, "type": kind, "actor": "api:test", "data": data}
