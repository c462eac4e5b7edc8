"""For each guard of the SQL: what goes wrong without it, and that it does not happen with it.

A witness takes the guard out of a database of its own. When the failure it shows does not appear any more, or
the guard's text is gone, the witness fails: it has to be told what took the guard's place.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.model.concurrency import Call, without
from tests.model.database import Session, assert_folds_agree, session
from tests.model.world import NODES

APPEND = "SELECT append_events(ARRAY[ROW('{}', '{}', '{}', '{{}}', NULL, NULL, NULL, NULL)::event_draft])"
Sessions = tuple[Session, Session, Session]


@pytest.fixture
def trio(database: str) -> Iterator[Sessions]:
    with session(database) as one, session(database) as other, session(database) as watch:
        watch.call("publish_task_types", types=[{"task_type": "noop", "code_version": "1"}])
        yield one, other, watch


def claim(s: Session, worker_id: str = "w-1", **more: Any) -> list[dict[str, Any]]:
    asked = {"queues": ["default"], "task_types": ["noop"], "slots": 1, **more}
    return s.call("claim_tasks", worker_id=worker_id, **asked)


def complete(s: Session, worker_id: str, task_id: str, lease: int) -> str:
    one = {
        "task_ids": [task_id],
        "leases": [lease],
        "outcomes": ["completed"],
        "details": [{"result": worker_id}],
    }
    return str(s.call("end_attempts", worker_id=worker_id, **one)[0]["outcome"])


def no_fence(s: Session) -> None:
    s.rows("DROP TRIGGER fence_append ON events")


# --- the lease: only who holds a task may finish it


def a_zombie_reports(s: Session) -> tuple[str, str]:
    """w-1 is taken for dead, w-2 gets its task, w-1 reports. Gives the outcome, and the task's status."""
    s.rows("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 1)")
    task_id = s.value("SELECT enqueue_task('noop')")
    old = claim(s, "w-1")[0]["lease"]
    s.rows("SELECT rescue_tasks('w-1', seen_at) FROM workers")
    claim(s, "w-2")
    outcome = complete(s, "w-1", task_id, old)
    return outcome, s.value("SELECT status FROM background_tasks")


def test_a_zombie_cannot_finish_the_task_of_another(trio: Sessions) -> None:
    assert a_zombie_reports(trio[2]) == ("lease_lost", "running")
    assert trio[2].events()[-1]["type"] == "task.completion_refused"


def test_witness_without_the_lease_a_zombie_finishes_it(trio: Sessions) -> None:
    without(trio[2], "end_attempts", "t.lease = g.lease AND")
    assert a_zombie_reports(trio[2]) == ("completed", "completed")


# --- the version: two who change a task take turns at its locked row


def both_cancel(trio: Sessions) -> list[str]:
    """Two cancels of one pending task, the second inside the first. Gives the outcomes of the second."""
    one, other, watch = trio
    task_id = watch.value("SELECT enqueue_task('noop')")
    with one.connection.transaction():
        one.call("cancel_tasks", task_ids=[task_id])
        call = Call(other, watch, lambda s: s.call("cancel_tasks", task_ids=[task_id]))
        call.settle()
    return [row["outcome"] for row in call.result()]


def test_the_second_of_two_cancels_sees_the_first(trio: Sessions) -> None:
    assert both_cancel(trio) == ["conflict"]


def test_witness_without_the_row_lock_both_write_the_same_version(trio: Sessions) -> None:
    without(trio[2], "cancel_tasks", "WHERE b.task_id = g.task_id FOR UPDATE", "WHERE b.task_id = g.task_id")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_event_per_version"):
        both_cancel(trio)


def test_witness_without_lock_and_index_a_stream_forks(trio: Sessions) -> None:
    without(trio[2], "cancel_tasks", "WHERE b.task_id = g.task_id FOR UPDATE", "WHERE b.task_id = g.task_id")
    trio[2].rows("ALTER TABLE events DROP CONSTRAINT one_event_per_version")
    assert both_cancel(trio) == ["cancelled"]
    assert [event["version"] for event in trio[2].events()] == [1, 2, 2]
    with pytest.raises(AssertionError, match="a hole in the stream"):
        assert_folds_agree(trio[2])


# --- SKIP LOCKED: claimers do not wait for each other


def two_claims(trio: Sessions) -> tuple[bool, set[str], set[str]]:
    """A claim inside another's transaction: whether it was answered at once, and what the two got."""
    one, other, watch = trio
    watch.rows("SELECT enqueue_task('noop') FROM generate_series(1, 2)")
    with one.connection.transaction():
        first = {row["task_id"] for row in claim(one, "w-1")}
        call = Call(other, watch, lambda s: claim(s, "w-2"))
        at_once = call.settle()
    return at_once, first, {row["task_id"] for row in call.result()}


def test_a_claim_takes_what_no_other_is_taking(trio: Sessions) -> None:
    at_once, first, second = two_claims(trio)
    assert at_once and first and second and not first & second


def test_witness_without_skip_locked_a_claim_waits_for_another(trio: Sessions) -> None:
    without(trio[2], "claim_tasks", "FOR UPDATE SKIP LOCKED", "FOR UPDATE")
    at_once, _, _ = two_claims(trio)
    assert not at_once


def test_witness_without_any_lock_two_claims_collide(trio: Sessions) -> None:
    without(trio[2], "claim_tasks", "FOR UPDATE SKIP LOCKED")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_event_per_version"):
        two_claims(trio)


# --- the append fence: an event that commits late is not stepped over


def followed_past_an_open_append(trio: Sessions) -> list[int]:
    """Follow while one append is open and another committed. Gives the positions the follower missed."""
    one, other, watch = trio
    seen: list[int] = []

    def follow() -> None:
        seen.extend(row["position"] for row in watch.call("events_after", after=max(seen, default=0)))

    with one.connection.transaction():
        one.rows("SELECT enqueue_task('noop')")
        other.rows("SELECT enqueue_task('noop')")
        follow()
    follow()
    return [event["position"] for event in watch.events() if event["position"] not in seen]


def test_a_follower_misses_nothing_that_commits_late(trio: Sessions) -> None:
    trio[2].rows("SELECT enqueue_task('noop')")
    assert followed_past_an_open_append(trio) == []


def test_witness_without_the_fence_a_late_commit_is_missed(trio: Sessions) -> None:
    trio[2].rows("SELECT enqueue_task('noop')")
    no_fence(trio[2])
    assert len(followed_past_an_open_append(trio)) == 1


# --- the law of writing: lock first, append then


def settled_while_an_append_waits(trio: Sessions) -> bool:
    """Whether followers go on while a task cannot end: its handler's record waits for a stream."""
    one, other, watch = trio
    watch.rows(APPEND.format("thing", "t", "thing.made"))
    task_id = watch.value("SELECT enqueue_task('noop')")
    lease = claim(watch)[0]["lease"]
    record = {"task_id": task_id, "type": "thing.seen", "stream_type": "thing", "stream_id": "t"}
    one_end = {"task_ids": [task_id], "leases": [lease], "outcomes": ["completed"], "details": [{}]}
    with one.connection.transaction(force_rollback=True):
        one.rows("SELECT FROM stream_heads WHERE stream_type = 'thing' FOR UPDATE")
        call = Call(
            other, watch, lambda s: s.call("end_attempts", worker_id="w-1", records=[record], **one_end)
        )
        assert not call.settle()
        position = watch.call("enqueue_tasks", tasks=[{"task_type": "noop"}])[0]["position"]
        settled: bool = watch.value("SELECT stable_position()") >= position
    call.result()
    return settled


def test_nobody_waits_for_a_lock_inside_the_fence(trio: Sessions) -> None:
    assert settled_while_an_append_waits(trio)


def test_witness_without_the_law_a_waiting_append_holds_every_follower(trio: Sessions) -> None:
    without(trio[2], "append_transitions", "PERFORM lock_streams(_caused);", "NULL;")
    assert not settled_while_an_append_waits(trio)


# --- the law of writing, across streams: what an event changes is locked before it gets its position


def an_agent_ends_while_its_task_is_enqueued(trio: Sessions) -> None:
    """One enqueues a refresh of an agent; the other deletes the agent, and with it its tasks, in between."""
    one, other, watch = trio
    watch.call("import_taxonomy", taxonomy_version="1.0.0", nodes=NODES)
    nodes = [NODES[0]["node_id"]]
    agent_id = str(watch.call("create_agent", name="a", taxonomy_node_ids=nodes)[0]["agent_id"])
    with one.connection.transaction():
        one.call("enqueue_tasks", tasks=[{"task_type": "coverage_refresh", "params": {"agent_id": agent_id}}])
        call = Call(other, watch, lambda s: s.call("delete_agent", agent_id=agent_id))
        call.settle()
    call.result()


def test_no_task_outlives_its_agent(trio: Sessions) -> None:
    an_agent_ends_while_its_task_is_enqueued(trio)
    assert trio[2].read_model("background_tasks") == {}
    assert_folds_agree(trio[2])


def test_witness_without_the_lock_on_the_agent_the_log_contradicts_the_rows(trio: Sessions) -> None:
    without(trio[2], "react_coverage_refresh", "FOR KEY SHARE")
    an_agent_ends_while_its_task_is_enqueued(trio)
    with pytest.raises(AssertionError, match="background_tasks"):
        assert_folds_agree(trio[2])
