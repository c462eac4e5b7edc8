"""A life at a terminal, read as a stranger would read it."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from service.audit.replay import Life, as_record, runs
from service.audit.timeline import described, duration, show
from service.model.biography import PhaseTime, Step

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BORN = {"task_type": "mail", "queue": "default", "priority": 5, "params": {"to": "me"}, "subject": "thing:7"}
TRACEBACK = 'Traceback (most recent call last):\n  File "mail.py", line 12, in send\nValueError: no'


def step(n: int, kind: str, status: str | None, **fields: Any) -> Step:
    given: dict[str, Any] = {
        "position": 10 * n,
        "version": n,
        "type": f"task.{kind}",
        "actor": "worker:w-1",
        "reason": None,
        "recorded_at": AT + (n - 1) * timedelta(seconds=2),
        "gap": timedelta(seconds=2) if n > 1 else None,
        "status": status,
        "attempt": 1,
        "changes": {},
        "data": {},
    }
    return Step(**(given | fields))


def failed(n: int, message: str = "no") -> Step:
    data = {"error_type": "ValueError", "error_message": message, "error_traceback": TRACEBACK}
    changes = {"failures": [n - 1, n], "error": [None, message]}
    return step(n, "retry_scheduled", "pending", reason=f"ValueError: {message}", changes=changes, data=data)


def life(*steps: Step) -> Life:
    born = step(1, "enqueued", "pending", data=BORN, attempt=0, changes={"correlation_id": [None, "r-1"]})
    return Life("t-1", [born, *steps], [PhaseTime("queued", 2, 0.25), PhaseTime("running", 6, 0.75)])


def shown(told: Life, full: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    show(console, told, full=full)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


def test_a_life_opens_with_what_the_task_is() -> None:
    assert shown(life(step(2, "completed", "completed")))[:6] == [
        "t-1  mail  completed",
        "subject thing:7  queue default  priority 5  correlation_id r-1",
        'params {"to": "me"}',
        "2 events in 2 s",
        "",
        "2026-01-02 UTC",
    ]


def test_each_event_has_its_time_gap_status_actor_and_position() -> None:
    started = step(
        2, "started", "running", changes={"status": ["pending", "running"], "worker_id": [None, "w-1"]}
    )
    lines = shown(life(started))
    assert lines[6] == "03:04:05.000            ● task.enqueued  pending     worker:w-1  #10"
    assert lines[7] == "03:04:07.000      +2 s  ● task.started   running 1   worker:w-1  #20"
    assert lines[8] == "                        │ worker_id w-1"


def test_only_the_last_failure_shows_its_traceback() -> None:
    lines = shown(life(failed(2, "first"), failed(3, "second")))
    assert sum("Traceback" in line for line in lines) == 1
    assert lines.index(f"{' ' * 24}│ --full shows its traceback") < next(
        n for n, line in enumerate(lines) if "Traceback" in line
    )
    assert f'{" " * 24}│     File "mail.py", line 12, in send' in lines
    assert sum("Traceback" in line for line in shown(life(failed(2), failed(3)), full=True)) == 2


def test_a_long_message_is_cut_and_told_whole_by_full() -> None:
    message = "x" * 500
    assert not any(message in line for line in shown(life(failed(2, message))))
    assert any(message in line for line in shown(life(failed(2, message)), full=True))


def progressed(many: int) -> list[Step]:
    return [
        step(
            n,
            "progressed",
            "running",
            changes={"progress_percentage": [n - 2, n - 1], "step": ["a", f"s{n}"]},
        )
        for n in range(2, 2 + many)
    ]


def test_events_that_repeat_are_one_line_with_their_count() -> None:
    lines = shown(life(*progressed(41)))
    folded = [line for line in lines if "task.progressed" in line]
    assert len(folded) == 1 and "41 times in 80 s" in folded[0]
    assert lines[lines.index(folded[0]) + 1].endswith("│ progress_percentage 41, step a → s42")
    assert sum("task.progressed" in line for line in shown(life(*progressed(41)), full=True)) == 41


def test_a_few_of_a_type_are_told_one_by_one() -> None:
    assert [len(run) for run in runs(progressed(3))] == [1, 1, 1]
    assert [len(run) for run in runs([*progressed(4), failed(7), *progressed(2)])] == [4, 1, 1, 1]
    assert list(runs([])) == []


def test_a_new_day_has_a_line_of_its_own() -> None:
    late = step(2, "started", "running", recorded_at=AT + timedelta(days=1), gap=timedelta(days=1))
    lines = shown(life(late))
    assert "2026-01-02 UTC" in lines and "2026-01-03 UTC" in lines


def test_a_row_that_went_with_its_agent_is_gone() -> None:
    end = step(2, "x", None, type="agent.deleted", version=None, attempt=None, reason="its agent was deleted")
    lines = shown(life(end))
    assert lines[0] == "t-1  mail  gone"
    assert any("agent.deleted" in line and " gone " in line for line in lines)
    assert any(line.endswith("│ its agent was deleted") for line in lines)


def test_where_the_time_went_is_a_bar_for_each_phase() -> None:
    lines = shown(life())
    assert lines[-3] == "Where the time went: 8 s"
    assert lines[-2] == f"  queued   {'█' * 10}{'░' * 30}  25.0%  2 s"
    assert lines[-1] == f"  running  {'█' * 30}{'░' * 10}  75.0%  6 s"


def test_a_change_tells_before_and_after_and_what_was_cleared() -> None:
    changes = {"worker_id": ["w-1", "w-2"], "step": ["a", None], "rescues": [0, 1], "error": [None, "no"]}
    changed = step(2, "started", "running", changes=changes)
    assert described([changed]) == "error no, rescues 1, step cleared, worker_id w-1 → w-2"
    assert "error" not in described([step(2, "failed", "failed", changes=changes, reason="ValueError: no")])


def test_a_time_among_the_changes_is_utc_with_z() -> None:
    changes = {"run_at": [None, "2026-01-02T03:05:00+00:00"]}
    assert described([step(2, "snoozed", "pending", changes=changes)]) == "run_at 2026-01-02T03:05:00Z"


def test_colours_follow_the_status() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="standard")
    show(console, life(step(2, "completed", "completed")))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[32m● " in text and "\x1b[33m● " in text


def test_json_has_a_line_for_each_event_and_one_for_the_whole() -> None:
    told = life(step(2, "started", "running"))
    first, second, whole = told.as_records()
    assert (first["gap_ms"], second["gap_ms"], second["type"]) == (None, 2000, "task.started")
    assert first == as_record(told.steps[0]) and "gap" not in first
    assert whole["facts"]["task_type"] == "mail" and whole["facts"]["correlation_id"] == "r-1"
    assert whole["time_spent"][1] == {"phase": "running", "seconds": 6, "share": 0.75}


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
