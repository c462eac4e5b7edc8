"""One place turns how a handler ended into one outcome."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.errors import Invalid, TooBig
from service.model.task import ClaimedTask
from service.worker.attempt import Attempt, Ending, Stop, Verdict, raised, returned
from service.worker.outcomes import Fail, Retry, Snooze
from service.worker.payload import encode, storable
from service.worker.ports import record_json
from service.worker.registry import Registry

REGISTRY = Registry()


@REGISTRY.task("noop")
async def noop(ctx: Any) -> None:
    """Nothing."""


def claimed(task_id: str = "task-1", lease: int = 2) -> ClaimedTask:
    return ClaimedTask(
        *(task_id, "noop", lease, 1, 0, 3, 300.0, "default", 5, None, {}, None, None, None),
        *(datetime.now(UTC), 1, 1, 1, None),
    )


class Executor:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.asked: list[Stop] = []
        self.abandoned = 0

    def start(self, attempt: Attempt) -> None:
        """The tests end the attempt."""

    def ask(self, attempt: Attempt, stop: Stop) -> None:
        self.asked.append(stop)

    def abandon(self, attempt: Attempt) -> None:
        self.abandoned += 1

    async def close(self) -> None:
        """Nothing runs."""


def attempt_of() -> tuple[Attempt, Executor, list[Verdict]]:
    verdicts: list[Verdict] = []
    executor = Executor()

    def done(_: Attempt, verdict: Verdict) -> None:
        verdicts.append(verdict)

    return Attempt(claimed(), REGISTRY.get("noop"), executor, 0.0, done), executor, verdicts


def test_what_is_returned_is_the_result() -> None:
    assert returned({"a": 1}, 100) == Verdict("completed", result='{"a":1}')
    assert returned(None, 100) == Verdict("completed")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 200, "too_big"),
        ({1, 2}, "not_storable"),
        (float("inf"), "not_storable"),
        ("\0", "not_storable"),
    ],
)
def test_what_cannot_be_stored_fails_for_good(value: object, reason: str) -> None:
    verdict = returned(value, 100)
    assert verdict.outcome == "failed"
    assert verdict.detail["retry"] is False and verdict.detail["reason"] == reason


def test_errors_become_failures_that_may_be_retried() -> None:
    verdict = raised(ValueError("no"))
    assert (verdict.outcome, verdict.detail["error_type"]) == ("failed", "ValueError")
    assert verdict.detail["error_message"] == "no" and "retry" not in verdict.detail


def test_handlers_say_more_than_that_they_failed() -> None:
    assert raised(Retry("busy", after=3)).detail["delay_seconds"] == 3
    assert raised(Fail("gone", reason="gone")).detail["retry"] is False
    assert raised(Snooze(seconds=5)) == Verdict("snoozed", {"delay_seconds": 5})
    assert raised(Snooze(until=datetime(2030, 1, 1, tzinfo=UTC))).detail["run_at"].startswith("2030-01-01")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(after=-1),
        lambda: Snooze(),
        lambda: Snooze(seconds=-1),
        lambda: Snooze(seconds=1, until=datetime.now(UTC)),
        lambda: Snooze(until=datetime(2030, 1, 1)),
    ],
)
def test_times_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(Invalid):
        make()


def test_an_error_that_cannot_be_shown_is_still_a_failure() -> None:
    class Shy(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "cannot be shown" in raised(Shy()).detail["error_message"]


@pytest.mark.parametrize(
    ("stop", "verdict", "outcome"),
    [
        (None, Verdict("completed"), "completed"),
        (Stop.CANCELLED, Verdict("completed"), "completed"),
        (Stop.CANCELLED, Verdict("failed"), "cancelled"),
        (Stop.TIMED_OUT, Verdict("completed"), "timed_out"),
        (Stop.RELEASED, Verdict("completed"), "completed"),
        (Stop.RELEASED, raised(asyncio.CancelledError()), "released"),
    ],
)
def test_a_handler_that_was_stopped_ends_for_that_reason(
    stop: Stop | None, verdict: Verdict, outcome: str
) -> None:
    attempt, _, verdicts = attempt_of()
    if stop:
        attempt.interrupt(stop, 9.0)
    attempt.end(verdict)
    assert [v.outcome for v in verdicts] == [outcome]


def test_an_attempt_ends_once() -> None:
    attempt, _, verdicts = attempt_of()
    attempt.end(Verdict("timed_out"))
    attempt.end(Verdict("completed"))
    attempt.interrupt(Stop.RELEASED, 1.0)
    assert [v.outcome for v in verdicts] == ["timed_out"] and attempt.deadline == float("inf")


def test_the_first_reason_to_stop_counts_and_the_second_ends_the_waiting() -> None:
    attempt, executor, verdicts = attempt_of()
    attempt.interrupt(Stop.CANCELLED, 9.0)
    attempt.interrupt(Stop.TIMED_OUT, 9.0)
    assert executor.asked == [Stop.CANCELLED] and executor.abandoned == 1
    attempt.end(raised(asyncio.CancelledError()))
    assert [v.outcome for v in verdicts] == ["cancelled"]


@pytest.mark.parametrize(
    "verdict",
    [Verdict("completed", result='{"a":[1,"x"]}'), Verdict("released"), raised(ValueError("a\0b\ud800"))],
)
def test_the_detail_is_json_with_the_duration(verdict: Verdict) -> None:
    detail = json.loads(Ending(claimed(), verdict, 12.3456, []).detail_json())
    assert detail.pop("duration_ms") == 12.346
    assert detail == (verdict.detail or ({"result": {"a": [1, "x"]}} if verdict.result else {}))


def test_payloads_are_checked_where_they_are_given() -> None:
    assert encode({"ü": "\\u0000"}, 100, "It") == '{"ü":"\\\\u0000"}'
    with pytest.raises(TooBig, match="It is 102 bytes"):
        encode("ü" * 50, 100, "It")
    for bad in ("a\0b", "\ud800", float("nan"), object()):
        with pytest.raises(Invalid):
            encode(bad, 100, "It")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Invalid):
        encode(endless, 100, "It")


@pytest.mark.parametrize("stream", [("task", "t"), ("webhook", "w"), ("queue", "q"), ("", "x"), ("x", "")])
def test_a_handler_records_on_streams_of_its_own(stream: tuple[str, str]) -> None:
    with pytest.raises(Invalid, match="Cannot record"):
        record_json(claimed(), "x.done", {}, stream, False, 1000)
    assert json.loads(record_json(claimed(), "x.done", {}, ("x", "1"), False, 1000))["stream_type"] == "x"


def test_messages_are_cut_in_the_middle_and_cleaned() -> None:
    text = storable("a" * 60 + "\0\ud800" + "z" * 60, 100)
    assert text.startswith("a" * 50) and text.endswith("z" * 50) and "22 characters cut" in text
    assert storable("a\0b\ud800", 100) == "a\\0b\\ud800"
