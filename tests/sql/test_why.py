"""Why a task waits: each cause with a real state, its sentence and its facts; and what became of others."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.told import Told, telling

AGENT = "5f3c0c5e-0000-4000-8000-000000000001"


@pytest.fixture
def told(module_database: str) -> Iterator[Told]:
    with telling(module_database) as told:
        yield told


def causes(why: dict[str, Any]) -> list[str]:
    return [cause["reason"] for cause in why["facts"]["causes"]]


def test_a_paused_queue_is_named_with_who_paused_it_and_why(told: Told) -> None:
    told.worker(700)
    told.enqueue(10)
    told.pause(0)
    why = told.why(720)
    assert (why["task_id"], why["status"], why["blocked"], why["reason"]) == (
        "t-1",
        "pending",
        True,
        "queue_paused",
    )
    assert why["sentence"] == (
        "Waits for the pause of queue 'default' to end: paused 12 min ago by api:ops ('provider down')."
    )
    assert why["facts"]["pause"] == {
        "since": "2026-11-01T12:00:00.000000Z",
        "seconds": 720,
        "actor": "api:ops",
        "reason": "provider down",
    }
    assert causes(why) == ["queue_paused"]


def test_a_pause_without_a_reason_has_none_in_its_sentence(told: Told) -> None:
    told.enqueue(10)
    told.pause(0, reason=None)
    assert told.why(41)["sentence"].endswith("paused 41 s ago by api:ops.")


def test_the_first_true_cause_leads_and_the_others_are_told_too(told: Told) -> None:
    told.pause(0)
    told.enqueue(10, run_at="2026-11-01T13:00:00Z")
    why = told.why(60)
    assert causes(why) == ["queue_paused", "not_due", "no_worker"]
    assert why["sentence"] == why["facts"]["causes"][0]["sentence"]


def test_a_resumed_queue_is_no_cause_any_more(told: Told) -> None:
    told.pause(0)
    told.resume(5)
    told.worker(6)
    told.enqueue(7)
    assert causes(told.why(8)) == ["claimable"]


def test_a_scheduled_task_waits_for_its_time(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, run_at="2026-11-01T12:05:30Z")
    why = told.why(30)
    assert (why["reason"], why["blocked"], why["facts"]["due_in_seconds"]) == ("not_due", False, 300)
    assert why["sentence"] == "Waits for its time: due in 5 min, at 2026-11-01 12:05:30Z."
    assert why["facts"]["run_at"] == "2026-11-01T12:05:30.000000Z"


def test_a_failed_attempt_tells_of_its_backoff_and_its_error(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, backoff={"kind": "fixed", "seconds": 30})
    told.claim(1)
    told.end(2, "failed", error_type="ConnectionError", error_message="refused\nby peer")
    assert told.why(12)["sentence"] == (
        "Waits to be tried again in 20 s, at 2026-11-01 12:00:32Z: "
        "failure 1 of at most 3 was 'ConnectionError: refused'."
    )
    assert told.why(12)["facts"]["queued_by"] == "task.retry_scheduled"


def test_a_snoozed_task_was_put_off_by_its_handler(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    told.claim(1)
    told.end(2, "snoozed", delay_seconds=90)
    assert (
        told.why(2)["sentence"]
        == "Waits because its handler put it off: due in 90 s, at 2026-11-01 12:01:32Z."
    )


def test_without_any_worker_none_is_live(told: Told) -> None:
    told.enqueue(0)
    why = told.why(1)
    assert (why["reason"], why["blocked"]) == ("no_worker", True)
    assert why["sentence"] == (
        "No live worker serves task type 'noop' in queue 'default'; none is live at all."
    )


def test_workers_of_other_queues_and_types_are_named(told: Told) -> None:
    told.worker(0, queues="{other}")
    told.enqueue(0)
    why = told.why(1)
    assert why["sentence"].endswith("those that live serve other queues or types.")
    assert why["facts"]["workers"]["others"] == [
        {"worker_id": "w-1", "queues": ["other"], "task_types": ["noop"]}
    ]


def test_the_last_worker_that_served_it_is_named_with_how_it_ended(told: Told) -> None:
    told.worker(0)
    told.rows("SELECT stop_worker('w-1', 'deploy', '2026-11-01T12:01:00Z')")
    told.enqueue(70)
    assert told.why(120)["sentence"].endswith(
        "the last one that did, w-1, was seen 60 s ago (stopped: deploy)."
    )


def test_a_worker_that_has_been_silent_for_a_minute_serves_nobody(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    assert told.why(59)["reason"] != "no_worker"
    why = told.why(61)
    assert why["reason"] == "no_worker"
    assert why["facts"]["workers"]["last"] | {"seen_at": ""} == {
        "worker_id": "w-1",
        "status": "silent",
        "seen_at": "",
        "reason": None,
        "seconds_ago": 61,
    }


def test_taken_slots_are_counted_with_what_takes_them(told: Told) -> None:
    told.worker(0, slots=2)
    for n in range(3):
        told.enqueue(n, f"t-{n}")
    told.claim(5, slots=2)
    why = told.why(17, "t-2")
    assert (why["reason"], why["blocked"]) == ("slots_busy", False)
    assert why["sentence"] == (
        "Waits for a slot: 2 of 2 are taken on 1 worker, by 2 noop; the longest has been running for 12 s."
    )
    workers = why["facts"]["workers"]
    assert (workers["slots"], workers["running"], workers["free"]) == (2, 2, 0)
    assert workers["longest_running"]["worker_id"] == "w-1" and workers["longest_running"]["seconds"] == 12
    assert workers["named"][0] | {"seen_at": ""} == {
        "worker_id": "w-1",
        "host": "h",
        "slots": 2,
        "running": 2,
        "seen_at": "",
    }


def test_tasks_ahead_are_counted_and_the_pace_gives_an_estimate(told: Told) -> None:
    told.worker(0, slots=10)
    for n in range(6):
        told.enqueue(n / 10, f"t-{n}")
    told.claim(10, slots=2)
    why = told.why(12, "t-5")
    assert (why["reason"], why["facts"]["ahead"]["tasks"]) == ("tasks_ahead", 3)
    assert why["sentence"] == (
        "Waits for its turn: 3 tasks are ahead of it in queue 'default'; 10 a minute start, so about 18 s."
    )


def test_a_queue_in_which_nothing_moves_says_so(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, "t-0")
    told.enqueue(1)
    assert told.why(2)["sentence"] == (
        "Waits for its turn: 1 task is ahead of it in queue 'default'; none was started lately."
    )


def test_a_task_that_nobody_claims_although_slots_are_free_is_blocked(told: Told) -> None:
    told.worker(0, slots=3)
    told.enqueue(10)
    assert told.why(14)["reason"] == "claimable"
    why = told.why(30)
    assert (why["reason"], why["blocked"]) == ("not_claimed", True)
    assert why["sentence"] == (
        "Nobody claims it, although it could be claimed for 20 s and 3 slots are free: "
        "look at the logs of its workers."
    )


def test_what_came_later_than_the_task_explains_that_it_was_not_claimed_before(told: Told) -> None:
    """A worker that has just started, or a queue that was just resumed, is not late."""
    told.enqueue(0)
    told.worker(30)
    assert told.why(31)["reason"] == "claimable"
    told.pause(32)
    told.resume(40)
    assert told.why(44)["reason"] == "claimable"


def test_a_long_transaction_is_blamed_when_nobody_claims(told: Told) -> None:
    told.worker(0)
    told.enqueue(10)
    facts = told.why(30)["facts"]
    assert {"head", "unsettled", "oldest_append_seconds", "longest_transaction"} == facts["database"].keys()
    facts["database"]["longest_transaction"] = {"pid": 4711, "seconds": 720}
    [cause] = told.rows("SELECT * FROM waiting_causes(%s)", Jsonb(facts))
    assert cause["sentence"].endswith(
        "a transaction has been open for 12 min (pid 4711), which slows claims down."
    )


def test_an_open_append_shows_in_the_facts(module_database: str, told: Told) -> None:
    told.enqueue(0)
    with psycopg.connect(module_database) as other:
        other.execute(
            "SELECT append_events(ARRAY[ROW('thing','x','thing.seen','{}',NULL,NULL,NULL,NULL)::event_draft])"
        )
        facts = told.why(1)["facts"]["database"]
        assert facts["longest_transaction"]["pid"] == other.info.backend_pid
        assert facts["oldest_append_seconds"] > 0 and facts["unsettled"] > 0
        other.rollback()


def test_a_claimable_task_goes_with_the_next_poll(told: Told) -> None:
    told.worker(0, slots=4)
    told.enqueue(1)
    why = told.why(2)
    assert (why["reason"], why["blocked"]) == ("claimable", False)
    assert why["sentence"] == "Can be claimed now: 4 slots are free, it goes with the next poll."


def test_a_limit_group_is_said_with_what_runs_in_it(told: Told) -> None:
    told.rows(
        'SELECT publish_task_types(\'[{"task_type": "noop", "code_version": "2", "limit_group": "smtp"}]\')'
    )
    told.worker(0, slots=2)
    told.enqueue(1, "t-0")
    told.claim(1)
    told.enqueue(1)
    assert told.why(2)["facts"]["limit"] == {"group": "smtp", "running": 1}


def test_a_running_task_says_since_when_by_whom_and_until_when(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, timeout_seconds=60)
    told.claim(1)
    why = told.why(21)
    assert (why["status"], why["reason"], why["blocked"]) == ("running", "running", False)
    assert why["sentence"] == "Runs for 20 s on worker w-1 (attempt 1); its deadline is in 40 s."
    assert why["facts"]["deadline_at"] == "2026-11-01T12:01:01.000000Z"
    told.rows("SELECT cancel_task('t-1', at => '2026-11-01T12:00:30Z')")
    assert told.why(91)["sentence"] == (
        "Runs for 90 s on worker w-1 (attempt 1); its deadline passed 30 s ago; it was asked to stop"
        "; the worker has been silent for 91 s."
    )


@pytest.mark.parametrize(
    ("outcome", "detail", "status", "sentence"),
    [
        ("completed", {"result": 1}, "completed", "Completed 10 s ago by worker:w-1 on attempt 1."),
        (
            "failed",
            {"error_type": "ValueError", "error_message": "no", "retry": False},
            "failed",
            "Failed 10 s ago by worker:w-1 on attempt 1: ValueError: no (permanent).",
        ),
        (
            "timed_out",
            {},
            "timeout",
            "Timed out 10 s ago by worker:w-1 on attempt 1: TimeoutError: Task timeout exceeded (1 minute).",
        ),
        (
            "cancelled",
            {"reason": "not needed"},
            "cancelled",
            "Cancelled 10 s ago by worker:w-1 on attempt 1: not needed.",
        ),
    ],
)
def test_a_task_that_is_over_says_when_by_whom_and_why(
    told: Told, outcome: str, detail: dict[str, Any], status: str, sentence: str
) -> None:
    told.worker(0)
    told.enqueue(0, timeout_seconds=60, max_attempts=1)
    told.claim(1)
    told.end(2, outcome, **detail)
    why = told.why(12)
    assert (why["status"], why["reason"], why["sentence"]) == (status, status, sentence)
    assert why["facts"]["ended_at"] == "2026-11-01T12:00:02.000000Z"


def test_a_task_cancelled_before_it_ran_has_no_attempt(told: Told) -> None:
    told.enqueue(0)
    told.rows("SELECT cancel_task('t-1', 'not needed', 'psql:me', at => '2026-11-01T12:00:10Z')")
    assert told.why(20)["sentence"] == "Cancelled 10 s ago by psql:me: not needed."


def test_a_task_that_went_with_its_agent_is_told_from_the_log(told: Told) -> None:
    told.enqueue(0, subject=f"agent:{AGENT}")
    told.rows(
        "SELECT append_events(ARRAY[ROW('agent', %s, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)"
        "::event_draft], 'api:ops', '2026-11-01T12:00:10Z')",
        AGENT,
    )
    why = told.why(20)
    assert (why["status"], why["reason"]) == (None, "gone")
    assert why["sentence"] == "It is gone: its agent was deleted 10 s ago by api:ops."


def test_a_task_that_never_was_is_not_found(told: Told) -> None:
    with pytest.raises(psycopg.Error, match="Task not found: nope") as caught:
        told.why(0, "nope")
    assert caught.value.sqlstate == "AN404"


def test_the_time_zone_of_a_session_changes_no_answer(told: Told) -> None:
    told.enqueue(0, run_at="2026-11-01T12:05:30Z")
    before = told.why(30)
    told.rows("SELECT set_config('timezone', 'Asia/Seoul', true)")
    after = told.why(30)
    assert before["facts"].pop("database") and after["facts"].pop("database")
    assert after == before
