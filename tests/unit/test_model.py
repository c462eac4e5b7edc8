"""Events and backoff policies as plain values."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Invalid
from service.model.agent_events import CoverageMeasured
from service.model.events import TYPES, decode
from service.model.retry import delay_seconds, is_valid, policy
from service.model.task_events import TaskCancelled, TaskRetryScheduled, TaskStarted


def test_an_event_of_a_later_release_is_read_without_what_is_new() -> None:
    assert decode("task.started", {"attempt": 1, "worker_id": "w", "mood": "good"}) == TaskStarted(
        attempt=1, worker_id="w"
    )


def test_an_event_of_an_earlier_release_gets_defaults() -> None:
    assert decode("task.cancelled", {}) == TaskCancelled(attempt=None, reason=None)


def test_times_are_times() -> None:
    data = {"attempt": 1, "run_at": "2026-01-02T03:04:05.678901+00:00", "delay_ms": 2000}
    event = decode("task.retry_scheduled", data)
    assert isinstance(event, TaskRetryScheduled)
    assert event.run_at == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def test_an_unknown_type_is_nothing() -> None:
    assert decode("thing.done", {"n": 1}) is None


def test_an_event_without_what_it_must_have_is_refused() -> None:
    with pytest.raises(TypeError, match="worker_id"):
        decode("task.started", {"attempt": 1})


def test_every_type_is_a_noun_and_a_participle_and_says_what_it_means() -> None:
    for name, cls in TYPES.items():
        noun, _, verb = name.partition(".")
        assert noun and verb and cls.__doc__, name
    assert TYPES["coverage.measured"] is CoverageMeasured


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (None, {"kind": "exponential"}),
        ("none", {"kind": "none"}),
        (30, {"kind": "fixed", "seconds": 30}),
        ([2, 4], {"kind": "list", "seconds": [2, 4]}),
        ((2.5,), {"kind": "list", "seconds": [2.5]}),
        ({"kind": "fixed"}, {"kind": "fixed"}),
    ],
)
def test_short_forms_of_a_backoff(short: object, long: dict) -> None:
    assert policy(short) == long


@pytest.mark.parametrize(
    "wrong",
    [
        *("linear", True, -1, [], [1, -1], [1, "2"], float("nan"), {}, {"kind": "fixed", "second": 1}),
        *(
            {"kind": "exponential", "jitter": 2},
            {"kind": "list"},
            {"kind": "fixed", "seconds": "30"},
            [float("inf")],
        ),
    ],
)
def test_what_is_no_policy_is_refused_with_what_is_one(wrong: object) -> None:
    with pytest.raises(Invalid) as refused:
        policy(wrong)
    assert "exponential" in refused.value.hint


def test_delays() -> None:
    assert [delay_seconds(policy([2, 4]), n, 0.5) for n in (1, 2, 3)] == [2, 4, 4]
    assert delay_seconds(policy("none"), 1, 0.5) == 0
    assert delay_seconds({"kind": "fixed"}, 9, 0.9) == 30
    assert [delay_seconds(policy(None), n, 0.5) for n in (1, 2, 3, 99)] == [1, 2, 4, 3600]
    assert delay_seconds(policy(None), 1, 0.0) == 0.9


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_an_exponential_delay_stays_within_its_jitter(failures: int, chance: float) -> None:
    middle = delay_seconds({"kind": "exponential", "jitter": 0}, failures, chance)
    assert middle <= 3600
    spread = delay_seconds({"kind": "exponential"}, failures, chance) / middle
    assert 0.9 - 1e-9 <= spread <= 1.1 + 1e-9


def test_a_policy_is_an_object_that_the_rules_take() -> None:
    assert is_valid({"kind": "exponential", "seconds": 1, "factor": 2, "max_seconds": 3600, "jitter": 0.1})
