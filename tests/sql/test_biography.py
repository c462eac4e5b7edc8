"""A task's life from the log: what each event says and changes, and where the time went."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.sql.told import Told, at, telling

AGENT = "5f3c0c5e-0000-4000-8000-000000000001"


@pytest.fixture
def told(module_database: str) -> Iterator[Told]:
    with telling(module_database) as told:
        yield told


def test_a_life_tells_who_why_how_long_after_and_what_changed(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, backoff={"kind": "fixed", "seconds": 30}, subject="thing:7")
    told.claim(2)
    told.progress(12, 50)
    told.end(15, "failed", error_type="ValueError", error_message="no\nway")
    born, started, progressed, failed = told.history()
    assert [step["version"] for step in (born, started, progressed, failed)] == [1, 2, 3, 4]
    assert (born["type"], born["actor"], born["reason"], born["gap"]) == (
        "task.enqueued",
        "api:ops",
        None,
        None,
    )
    assert born["changes"] == {
        "task_type": [None, "noop"],
        "queue": [None, "default"],
        "subject": [None, "thing:7"],
        "status": [None, "pending"],
        "priority": [None, 5],
        "max_attempts": [None, 3],
        "timeout_seconds": [None, 300],
        "correlation_id": [None, "request-1"],
    }
    assert (started["actor"], started["gap"], started["status"], started["attempt"]) == (
        "worker:w-1",
        timedelta(seconds=2),
        "running",
        1,
    )
    assert started["changes"] == {
        "status": ["pending", "running"],
        "attempt": [0, 1],
        "worker_id": [None, "w-1"],
    }
    assert progressed["changes"] == {"progress_percentage": [0, 50], "step": [None, "reading"]}
    assert (failed["type"], failed["reason"], failed["status"]) == (
        "task.retry_scheduled",
        "ValueError: no",
        "pending",
    )
    assert failed["changes"] == {
        "status": ["running", "pending"],
        "failures": [0, 1],
        "error": [None, "no\nway"],
        "run_at": [None, "2026-11-01T12:00:45+00:00"],
    }
    assert failed["data"]["error_message"] == "no\nway" and failed["recorded_at"] == at(15)


def test_every_kind_of_event_says_why_as_far_as_it_knows(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, max_attempts=2, backoff={"kind": "none"}, timeout_seconds=1)
    told.claim(1)
    told.end(2, "released")
    told.claim(3)
    told.end(4, "snoozed", delay_seconds=1)
    told.claim(6)
    told.end(7, "timed_out")
    told.claim(8)
    told.rescue(9, max_rescues=0)
    told.rows("SELECT end_attempts('w-1', '{t-1}', '{2}', '{completed}', ARRAY['{}']::jsonb[])")
    told.rows("SELECT retry_task('t-1', 'disk is back')")
    told.rows("SELECT cancel_task('t-1', 'not needed')")
    assert [(step["type"], step["reason"]) for step in told.history() if step["type"] != "task.started"] == [
        ("task.enqueued", None),
        ("task.released", "released at shutdown"),
        ("task.snoozed", "put off by its handler"),
        ("task.retry_scheduled", "TimeoutError: Task timeout exceeded (1 second)"),
        ("task.failed", "WorkerLost: Worker lost (rescued 0 times before) (worker lost)"),
        ("task.completion_refused", "worker w-1 reported completed under lease 2, which it no longer held"),
        ("task.retry_requested", "disk is back"),
        ("task.cancelled", "not needed"),
    ]


def test_a_rescue_names_the_worker_it_took_the_task_from(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    told.claim(1)
    told.rescue(60)
    assert told.history()[-1]["reason"] == "rescued from worker w-1"
    told.worker(61, "w-2")
    told.claim(62, "w-2")
    told.rows("SELECT cancel_task('t-1', 'stop')")
    told.rescue(120, "w-2")
    assert [step["reason"] for step in told.history()[-2:]] == ["stop", "cancelled while worker w-2 was lost"]


def test_the_end_of_its_agent_is_the_last_line_of_a_life(told: Told) -> None:
    told.enqueue(0, subject=f"agent:{AGENT}")
    delete_agent(told, 10)
    told.enqueue(20, "t-2", subject=f"agent:{AGENT}")
    assert not told.rows("SELECT FROM background_tasks WHERE task_id = 't-1'")
    last = told.history()[-1]
    assert (last["type"], last["reason"], last["gap"]) == (
        "agent.deleted",
        "its agent was deleted",
        timedelta(seconds=10),
    )
    assert (last["version"], last["status"], last["attempt"], last["changes"]) == (None, None, None, {})
    assert [step["type"] for step in told.history("t-2")] == ["task.enqueued"]
    assert told.time_spent(100) == {"queued": 10}


def delete_agent(told: Told, seconds: float) -> None:
    told.rows(
        "SELECT append_events(ARRAY[ROW('agent', %s, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)"
        "::event_draft], 'api:ops', %s)",
        *(AGENT, at(seconds)),
    )


def test_a_task_that_never_was_has_no_life(told: Told) -> None:
    assert told.history("nope") == [] and told.time_spent(0, "nope") == {}


def test_time_is_divided_among_what_it_was_spent_on(told: Told) -> None:
    """5 s until its time, 1 s queued, runs 2 s, backs off 30 s, runs 4 s, is snoozed 10 s, runs 1 s."""
    told.worker(0)
    told.enqueue(0, run_at="2026-11-01T12:00:05Z", backoff={"kind": "fixed", "seconds": 30})
    told.claim(6)
    told.end(8, "failed", error_message="no")
    told.claim(38)
    told.end(42, "snoozed", delay_seconds=10)
    told.claim(52)
    told.end(53, "completed", result=1)
    assert told.time_spent(999) == {
        "waiting_for_time": 5,
        "queued": 1,
        "running": 7,
        "backoff": 30,
        "snoozed": 10,
    }


def test_an_open_life_goes_up_to_now(told: Told) -> None:
    told.enqueue(0, run_at="2026-11-01T12:01:00Z")
    assert told.time_spent(20) == {"waiting_for_time": 20}
    assert told.time_spent(80) == {"waiting_for_time": 60, "queued": 20}
    told.worker(80)
    told.claim(80)
    assert told.time_spent(81) == {"waiting_for_time": 60, "queued": 20, "running": 1}


def test_a_pause_counts_only_while_the_task_was_claimable(told: Told) -> None:
    told.pause(-10)
    told.enqueue(0)
    told.resume(5)
    told.pause(7)
    told.pause(8, "other")
    told.resume(10)
    told.worker(0)
    told.claim(11)
    told.pause(12)
    assert told.time_spent(20) == {"queued": 3, "paused": 8, "running": 9}
    told.end(21, "failed", delay_seconds=30, error_message="no")
    assert told.time_spent(61) == {"queued": 3, "paused": 18, "running": 10, "backoff": 30}


def test_time_lost_to_a_dead_worker_counts_from_its_last_sign_of_life(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    told.claim(0)
    told.rows("SELECT renew_worker('w-1', %s)", at(12))
    told.rescue(42)
    assert told.time_spent(43) == {"queued": 1, "running": 12, "lost": 30}


def test_progress_after_the_last_renewal_is_a_sign_of_life_too(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    told.claim(0)
    told.progress(20, 10)
    told.rescue(42)
    assert told.time_spent(42) == {"running": 20, "lost": 22}


def test_the_time_between_an_end_and_a_retry_by_hand_is_over(told: Told) -> None:
    told.worker(0)
    told.enqueue(0, max_attempts=1)
    told.claim(0)
    told.end(2, "failed", error_message="no")
    assert told.time_spent(100) == {"running": 2}
    told.rows("SELECT retry_task('t-1', at => %s)", at(62))
    assert told.time_spent(70) == {"queued": 8, "running": 2, "over": 60}


def test_a_task_that_was_over_before_it_was_recorded_keeps_its_own_times(told: Told) -> None:
    told.enqueue(0, "first")  # makes the lane
    told.rows(
        "SELECT append_events(ARRAY(SELECT ROW('task', 't-1', d ->> 0, d -> 1, NULL, NULL, NULL, NULL)"
        "::event_draft FROM jsonb_array_elements(%s) d), 'api:ops', %s)",
        '[["task.enqueued", {"task_type": "noop", "queue": "default", "priority": 5, "max_attempts": 1,'
        ' "params": {}, "timeout_seconds": 300, "occurred_at": "2026-11-01T12:00:00Z"}],'
        ' ["task.started", {"attempt": 1, "worker_id": "api", "occurred_at": "2026-11-01T12:00:01Z"}],'
        ' ["task.completed", {"attempt": 1, "occurred_at": "2026-11-01T12:00:04Z"}]]',
        at(5),
    )
    assert told.time_spent(9) == {"queued": 1, "running": 3}


def ask(told: Told, seconds: float) -> None:
    """As the follower does, for every end there is."""
    told.rows("SELECT lead_relay('r-1', 'h', 1)")
    told.rows(
        "SELECT request_webhooks(ARRAY(SELECT webhook_ends(0, 1000000)), actor => 'relay', at => %s)",
        at(seconds),
    )


def attempt(told: Told, seconds: float, number: int, outcome: str, **detail: Any) -> None:
    """An attempt of the one delivery that waits."""
    told.rows(
        "SELECT end_delivery_attempts(ARRAY[delivery_id], ARRAY[%s], ARRAY[%s], ARRAY[%s], 'r-1', 1, %s)"
        " FROM webhook_deliveries WHERE status = 'pending'",
        *(number, outcome, Jsonb(detail), at(seconds)),
    )


def test_a_webhook_is_told_in_the_life_of_its_task_and_takes_time(told: Told) -> None:
    """Ends at 2, asked for at 3, fails at 4, given up at 6, sent again at 90; retried by hand at 62."""
    told.worker(0)
    told.enqueue(0, max_attempts=1, webhook_url="https://x.example/h?n=1")
    told.claim(0)
    told.end(2, "failed", error_message="no")
    assert told.time_spent(100) == {"running": 2}
    ask(told, 3)
    assert told.time_spent(3.5) == {"running": 2, "delivering": 1.5}
    attempt(told, 4, 1, "failed", http_status=503, latency_ms=12, next_delay_ms=1000)
    assert told.why(4)["sentence"].endswith(
        "Its webhook is on its way: attempt 2, the last one was HTTP 503."
    )
    attempt(told, 6, 2, "failed", error="timeout", reason="no attempt is left")
    assert told.time_spent(100) == {"running": 2, "delivering": 4}
    assert told.why(7)["sentence"].endswith("Its webhook was given up: no attempt is left.")
    told.rows("SELECT retry_task('t-1', at => %s)", at(62))
    assert told.time_spent(70) == {"queued": 8, "running": 2, "delivering": 4, "over": 56}
    told.rows("SELECT redeliver(ARRAY(SELECT delivery_id FROM webhook_deliveries), 'they lost it')")
    webhooks = [step for step in told.history() if step["type"].startswith("webhook.")]
    assert [(step["type"], step["reason"], step["changes"]) for step in webhooks] == [
        ("webhook.requested", "webhook number 1 to https://x.example/h", {}),
        (
            "webhook.attempt_failed",
            "attempt 1: HTTP 503 after 12 ms, again in 1 s",
            {"webhook_retry_count": [0, 1]},
        ),
        ("webhook.attempt_failed", "attempt 2: timeout", {"webhook_retry_count": [1, 2]}),
        ("webhook.abandoned", "given up after 2 attempts: no attempt is left", {}),
        ("webhook.requested", "webhook number 1 to https://x.example/h, again: they lost it", {}),
    ]
    assert {(step["version"], step["status"]) for step in webhooks} == {(None, "failed"), (None, "pending")}
    by_hand = told.rows("SELECT action, reason FROM audit_log ORDER BY position DESC LIMIT 1")
    assert by_hand == [{"action": "webhook.requested", "reason": "they lost it"}]


def test_a_webhook_that_is_not_sent_takes_no_time(told: Told) -> None:
    told.enqueue(0, webhook_url="https://x.example/h")
    told.rows("SELECT change_endpoint('https://x.example/h', 'disabled', 'gone')")
    told.rows("SELECT cancel_task('t-1', at => %s)", at(5))
    ask(told, 9)
    assert told.time_spent(100) == {"queued": 5}
    reason = "the endpoint is disabled: gone"
    assert told.history()[-1]["reason"] == f"not sent: {reason}"
    assert told.why(10)["sentence"].endswith(f"Its webhook was not sent: {reason}.")
    assert told.rows("SELECT action FROM audit_log WHERE target LIKE 'endpoint:%%'") == [
        {"action": "endpoint.disabled"}
    ]


def test_shares_are_of_the_whole_life(told: Told) -> None:
    told.worker(0)
    told.enqueue(0)
    told.claim(1)
    rows = told.rows("SELECT phase, share FROM task_time_spent('t-1', NULL, %s)", at(4))
    assert [(row["phase"], row["share"]) for row in rows] == [("queued", 0.25), ("running", 0.75)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0032, "3.2 ms"),
        (1, "1 s"),
        (41, "41 s"),
        (61.84, "61.8 s"),
        (119, "119 s"),
        (720, "12 min"),
        (9000, "2.5 h"),
        (259200, "3 d"),
        (86400 * 12345, "12345 d"),
        (-5, "0 ms"),
    ],
)
def test_spans_are_told_as_people_say_them(told: Told, seconds: float, words: str) -> None:
    [row] = told.rows("SELECT spoken_span(%s) AS words", seconds)
    assert row["words"] == words


def test_a_long_life_is_read_once(database: str) -> None:
    """Ten times the events touch about ten times the pages: the state is folded on, not again for each."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        told = Told(connection)
        told.worker(0, slots=2)
        for task_id in ("t-1", "t-2"):
            told.enqueue(0, task_id)
        told.claim(1, slots=2)
        for _ in range(20):
            progress_50_times(told, "t-1")
        for _ in range(200):
            progress_50_times(told, "t-2")
        assert touched(told, "t-2") < 15 * touched(told, "t-1")
        assert len(told.history("t-2")) == 10_002


def progress_50_times(told: Told, task_id: str) -> None:
    told.rows(
        "SELECT append_events(ARRAY(SELECT ROW('task', %s, 'task.progressed', jsonb_build_object("
        "'percentage', n), NULL, NULL, NULL, NULL)::event_draft FROM generate_series(1, 50) n))",
        task_id,
    )


def touched(told: Told, task_id: str) -> int:
    """Pages that one reading of a life looks at, when it is not the first."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM task_history('{task_id}')"
    told.rows(explain)
    [plan] = told.rows(explain)
    top = plan["QUERY PLAN"][0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


def test_a_position_that_is_not_settled_is_refused(module_database: str) -> None:
    """Inside the transaction that appended, nothing it wrote is settled."""
    with telling(module_database) as told:
        told.enqueue(0)
        for function in ("task_history", "task_time_spent"):
            with pytest.raises(psycopg.Error) as caught, told.connection.transaction():
                told.rows(f"SELECT * FROM {function}('t-1', (SELECT max(position) FROM events))")
            assert caught.value.sqlstate == "AN409"
