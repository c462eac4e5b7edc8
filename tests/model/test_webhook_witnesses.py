"""The guards of webhooks: what goes wrong without each, and that it does not happen with it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.model.concurrency import Call, without
from tests.model.database import Session, assert_folds_agree, session
from tests.model.world import NO_URL

Sessions = tuple[Session, Session, Session]
URL = "https://x.example/h"
REQUEST = "SELECT * FROM request_webhooks(%s)"
KNOWN, AGAIN = "'known'", "'requested'"


@pytest.fixture
def trio(database: str) -> Iterator[Sessions]:
    with session(database) as one, session(database) as other, session(database) as watch:
        watch.call("publish_task_types", types=[{"task_type": "noop", "code_version": "1"}])
        watch.call("lead_relay", relay_id="r-1", host="h", pid=1, lease_seconds=3600)
        watch.call("open_follower", name="webhooks")
        yield one, other, watch


def ended(s: Session) -> int:
    """A task with a webhook that ends; the position of its end."""
    [task] = s.call("enqueue_tasks", tasks=[{"task_type": "noop", "webhook_url": URL}])
    [end] = s.call("cancel_tasks", task_ids=[task["task_id"]])
    return int(end["position"])


def ended_with_a_url_that_is_none(s: Session) -> int:
    """As a log of before may tell it: enqueueing refuses such a URL."""
    ended(s)  # makes the lane
    born = {"task_type": "noop", "queue": "default", "priority": 5, "max_attempts": 1, "timeout_seconds": 300}
    told = [["task.enqueued", born | {"params": {}, "webhook_url": NO_URL}], ["task.cancelled", {}]]
    rows = s.rows(
        "SELECT position FROM append_events(ARRAY(SELECT ROW('task', 'old', d ->> 0, d -> 1,"
        " NULL, NULL, NULL, NULL)::event_draft FROM jsonb_array_elements(%s) d))",
        Jsonb(told),
    )
    return int(rows[-1]["position"])


def outcomes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["outcome"] for row in rows]


def requests(s: Session) -> int:
    return int(s.value("SELECT count(*) FROM events WHERE type = 'webhook.requested'"))


# --- exactly once: the checkpoint's transaction, and the id that follows from the event


def checkpoint(s: Session, reached: int) -> None:
    place = s.value("SELECT position FROM followers WHERE name = 'webhooks'")
    s.rows("SELECT advance_follower('webhooks', %s, %s, 'r-1', 1)", place, reached)


def killed_after_the_effect(s: Session, end: int) -> None:
    """The effect in a transaction of its own; the process dies before the checkpoint, and the next begins."""
    s.rows(REQUEST, [end])
    with s.connection.transaction():
        checkpoint(s, end)
        s.rows(REQUEST, [end])


def test_one_transaction_asks_once(trio: Sessions) -> None:
    one, _, watch = trio
    end = ended(watch)
    with one.connection.transaction(force_rollback=True):  # killed before the commit
        checkpoint(one, end)
        one.rows(REQUEST, [end])
    assert requests(watch) == 0
    with one.connection.transaction():
        checkpoint(one, end)
        one.rows(REQUEST, [end])
    assert requests(watch) == 1
    assert watch.value("SELECT position FROM followers") == end


def test_without_the_checkpoints_transaction_the_id_is_the_second_belt(trio: Sessions) -> None:
    killed_after_the_effect(trio[2], ended(trio[2]))
    assert requests(trio[2]) == 1


def test_witness_without_both_a_webhook_is_asked_for_twice(trio: Sessions) -> None:
    watch = trio[2]
    without(watch, "request_webhooks", KNOWN, AGAIN)
    killed_after_the_effect(watch, ended(watch))
    assert requests(watch) == 2


def test_witness_with_the_checkpoint_first_and_alone_a_webhook_is_lost(trio: Sessions) -> None:
    one, _, watch = trio
    end = ended(watch)
    checkpoint(one, end)
    with one.connection.transaction(force_rollback=True):
        one.rows(REQUEST, [end])
    with one.connection.transaction():  # the next one follows what lies behind the checkpoint
        place = one.value("SELECT position FROM followers")
        ends = one.rows("SELECT webhook_ends AS at FROM webhook_ends(%s, %s)", place, one.head())
        one.rows(REQUEST, [row["at"] for row in ends])
    assert requests(watch) == 0


def both_ask(trio: Sessions, first: int, second: int) -> list[str]:
    """Two relays that both believe they lead, or a relay and a person who replays."""
    one, other, watch = trio
    with one.connection.transaction():
        told = one.rows(REQUEST, [first])
        call = Call(other, watch, lambda s: s.rows(REQUEST, [second]))
        call.settle()
    return outcomes([*told, *call.result()])


@pytest.mark.parametrize(
    ("end_of", "first"), [(ended, "requested"), (ended_with_a_url_that_is_none, "skipped")]
)
def test_of_two_who_ask_for_one_webhook_one_does(
    trio: Sessions, end_of: Callable[[Session], int], first: str
) -> None:
    end = end_of(trio[2])
    assert both_ask(trio, end, end) == [first, "known"]
    assert_folds_agree(trio[2])


def test_a_follower_that_was_rewound_asks_for_nothing_twice(trio: Sessions) -> None:
    _, _, watch = trio
    ends = [ended(watch), ended(watch)]
    for effects in (True, False):
        with watch.connection.transaction():
            checkpoint(watch, ends[-1])
            watch.rows(REQUEST, ends)
        watch.rows("SELECT rewind_follower('webhooks', 0, %s)", effects)
    assert requests(watch) == 2


# --- numbers: one transaction at a time gives those of an endpoint

LOCK = "pg_advisory_xact_lock(hashtext('annals_webhooks'), x.key)"


def numbers_of_two(trio: Sessions) -> list[int]:
    assert both_ask(trio, ended(trio[2]), ended(trio[2])) == ["requested", "requested"]
    return [row["sequence"] for row in trio[2].rows("SELECT sequence FROM webhook_deliveries ORDER BY 1")]


def test_two_who_ask_at_once_take_two_numbers(trio: Sessions) -> None:
    assert numbers_of_two(trio) == [1, 2]


def test_witness_without_the_lock_two_take_the_same_number(trio: Sessions) -> None:
    without(trio[2], "request_webhooks", LOCK, "x.key")
    assert numbers_of_two(trio) == [1, 1]


def test_two_replays_at_once_give_each_webhook_one_number(trio: Sessions) -> None:
    """Never asked for before: both ask for all three, and the second finds them on their way."""
    one, other, watch = trio
    ends = [ended(watch) for _ in range(3)]
    replay = "SELECT * FROM replay_webhooks(0, %s, dry_run => false)"
    with one.connection.transaction():
        told = one.rows(replay, ends[-1])
        call = Call(other, watch, lambda s: s.rows(replay, ends[-1]))
        assert not call.settle()
    assert outcomes([*told, *call.result()]) == ["requested"] * 3 + ["pending"] * 3
    rows = watch.rows("SELECT sequence, redeliveries FROM webhook_deliveries ORDER BY event_position")
    assert [(row["sequence"], row["redeliveries"]) for row in rows] == [(1, 0), (2, 0), (3, 0)]


def test_two_who_send_one_again_send_it_once(trio: Sessions) -> None:
    one, other, watch = trio
    name = delivered(watch)
    again = "SELECT * FROM redeliver(ARRAY[%s])"
    with one.connection.transaction():
        told = one.rows(again, name)
        call = Call(other, watch, lambda s: s.rows(again, name))
        assert not call.settle()
    assert outcomes([*told, *call.result()]) == ["requested", "pending"]
    assert requests(watch) == 2


# --- attempts: each is recorded once, by the relay that leads


def requested(s: Session) -> str:
    [row] = s.rows(REQUEST, [ended(s)])
    return str(row["delivery_id"])


def attempt(s: Session, name: str, number: int = 1, outcome: str = "delivered", term: int = 1) -> str:
    [row] = s.call(
        "end_delivery_attempts",
        delivery_ids=[name],
        attempts=[number],
        outcomes=[outcome],
        details=[{"next_delay_ms": 1000} if outcome == "failed" else {}],
        relay_id="r-1",
        term=term,
    )
    return str(row["outcome"])


def delivered(s: Session) -> str:
    name = requested(s)
    attempt(s, name)
    return name


STALE = "w.status <> 'pending' OR u.attempt <> w.attempts + 1 OR u.again > 1"


def test_an_attempt_that_comes_twice_counts_once(trio: Sessions) -> None:
    name = requested(trio[2])
    assert [attempt(trio[2], name, 1, "failed") for _ in range(2)] == ["recorded", "stale"]
    assert trio[2].value("SELECT attempts FROM webhook_deliveries") == 1


def test_witness_without_its_number_an_attempt_counts_twice(trio: Sessions) -> None:
    without(trio[2], "end_delivery_attempts", STALE, "false")
    name = requested(trio[2])
    assert [attempt(trio[2], name, 1, "failed") for _ in range(2)] == ["recorded", "recorded"]
    assert trio[2].value("SELECT webhook_retry_count FROM background_tasks") == 2


def test_an_attempt_of_before_it_was_sent_again_is_stale(trio: Sessions) -> None:
    """Its answer came late: the delivery had been given up and was requested again meanwhile."""
    watch = trio[2]
    name = delivered(watch)
    watch.rows("SELECT redeliver(ARRAY[%s])", name)
    assert attempt(watch, name, 1) == "stale"
    assert attempt(watch, name, 2) == "recorded"


def a_zombie_reports(s: Session) -> str:
    name = requested(s)
    s.rows("UPDATE relay_lease SET expires_at = clock_timestamp() - interval '1 second'")
    s.call("lead_relay", relay_id="r-2", host="h", pid=1)
    return attempt(s, name)


def test_a_relay_that_was_taken_over_records_nothing(trio: Sessions) -> None:
    with pytest.raises(psycopg.Error) as caught:
        a_zombie_reports(trio[2])
    assert caught.value.sqlstate == "AN410"
    assert trio[2].value("SELECT status FROM webhook_deliveries") == "pending"


def test_witness_without_the_lease_a_zombie_reports(trio: Sessions) -> None:
    lease = "PERFORM require_lease(end_delivery_attempts.relay_id, end_delivery_attempts.term);"
    without(trio[2], "end_delivery_attempts", lease)
    assert a_zombie_reports(trio[2]) == "recorded"


# --- the law of writing: whoever waits for the row of a task does so before the append fence

TASKS_FIRST = "ORDER BY t.task_id FOR UPDATE"


def holds_followers_up(trio: Sessions) -> int:
    """Appends that are open while an attempt waits for the row of its task, which somebody else holds."""
    one, other, watch = trio
    name = requested(watch)
    with one.connection.transaction():
        one.rows("SELECT FROM background_tasks FOR UPDATE")
        call = Call(other, watch, lambda s: attempt(s, name, 1, "failed"))
        assert not call.settle()
        held = watch.value("SELECT count(*) FROM open_appends")
    assert call.result() == "recorded"
    return int(held)


def test_an_attempt_waits_for_its_task_outside_the_fence(trio: Sessions) -> None:
    assert holds_followers_up(trio) == 0


def test_witness_without_the_lock_of_the_task_it_waits_inside(trio: Sessions) -> None:
    without(trio[2], "end_delivery_attempts", TASKS_FIRST, "ORDER BY t.task_id")
    assert holds_followers_up(trio) == 1
