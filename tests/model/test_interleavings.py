"""Every pair of operations on one task, one inside the other's open transaction, that commits or rolls back.

Whatever the order, nobody deadlocks, the stream has no hole, each attempt ends once, and the folds agree.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests.model.concurrency import Call
from tests.model.database import Session, assert_folds_agree, session

Operation = Callable[[Session, str, int], list[dict[str, Any]]]


def end_as(outcome: str) -> Operation:
    def end(s: Session, task_id: str, lease: int) -> list[dict[str, Any]]:
        one = {"task_ids": [task_id], "leases": [lease], "outcomes": [outcome], "details": [{}]}
        return s.call("end_attempts", worker_id="w-1", **one)

    return end


def claim(s: Session, *_: Any) -> list[dict[str, Any]]:
    return s.call("claim_tasks", worker_id="w-2", queues=["default"], task_types=["noop"], slots=5)


def progress(s: Session, task_id: str, lease: int) -> list[dict[str, Any]]:
    many = {"percentages": [50.0], "steps": ["half"], "checkpoints": [None]}
    return s.call("progress_tasks", worker_id="w-1", task_ids=[task_id], leases=[lease], **many)


def cancel(s: Session, task_id: str, _: int) -> list[dict[str, Any]]:
    return s.call("cancel_tasks", task_ids=[task_id])


def retry(s: Session, task_id: str, _: int) -> list[dict[str, Any]]:
    return s.call("retry_tasks", task_ids=[task_id])


def rescue(s: Session, *_: Any) -> list[dict[str, Any]]:
    seen_at = s.value("SELECT seen_at FROM workers WHERE worker_id = 'w-1'")
    return s.call("rescue_tasks", worker_id="w-1", seen_at=seen_at)


def expire(s: Session, task_id: str, lease: int) -> list[dict[str, Any]]:
    later = datetime.now(UTC) + timedelta(hours=1)
    return s.call("expire_tasks", task_ids=[task_id], leases=[lease], at=later)


def repair(s: Session, task_id: str, _: int) -> list[dict[str, Any]]:
    return s.rows("SELECT repair_streams('background_tasks', 'task', ARRAY[%s])", task_id)


OPERATIONS: dict[str, Operation] = {
    "complete": end_as("completed"),
    "fail": end_as("failed"),
    "release": end_as("released"),
    "claim": claim,
    "progress": progress,
    "cancel": cancel,
    "retry": retry,
    "rescue": rescue,
    "expire": expire,
    "repair": repair,
}


@pytest.fixture(scope="module")
def trio(module_database: str) -> Iterator[tuple[Session, Session, Session]]:
    """Three sessions on a database of this module's own."""
    with (
        session(module_database) as one,
        session(module_database) as other,
        session(module_database) as watch,
    ):
        noop = {"task_type": "noop", "code_version": "1", "backoff": {"kind": "none"}}
        watch.call("publish_task_types", types=[noop])
        watch.rows("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 1)")
        yield one, other, watch


def running_task(s: Session) -> tuple[str, int]:
    task_id = s.value("SELECT enqueue_task('noop')")
    while True:
        for row in s.call("claim_tasks", worker_id="w-1", queues=["default"], task_types=["noop"], slots=50):
            if row["task_id"] == task_id:
                return task_id, row["lease"]


@pytest.mark.parametrize("commits", [True, False], ids=["commit", "rollback"])
@pytest.mark.parametrize(("first", "second"), list(product(OPERATIONS, OPERATIONS)), ids="-".join)
def test_two_operations_on_one_task(
    trio: tuple[Session, Session, Session], first: str, second: str, commits: bool
) -> None:
    one, other, watch = trio
    task_id, lease = running_task(watch)
    with one.connection.transaction(force_rollback=not commits):
        OPERATIONS[first](one, task_id, lease)
        call = Call(other, watch, lambda s: OPERATIONS[second](s, task_id, lease))
        call.settle()
    call.result()
    events = watch.rows("SELECT version, type FROM events WHERE stream_id = %s ORDER BY position", task_id)
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    ended = [event for event in events if event["type"] in ("task.completed", "task.failed")]
    assert len(ended) <= 1
    end_leftovers(watch)


def test_the_folds_agree_after_all_pairs(trio: tuple[Session, Session, Session]) -> None:
    assert_folds_agree(trio[2])


def end_leftovers(s: Session) -> None:
    """Nothing stays pending or running, so that the next pair has the queue for itself."""
    s.call(
        "cancel_tasks",
        task_ids=[
            row["task_id"] for row in s.rows("SELECT task_id FROM background_tasks WHERE status = 'pending'")
        ],
    )
    for row in s.rows("SELECT task_id, lease FROM background_tasks WHERE status = 'running'"):
        end_as("cancelled")(s, row["task_id"], row["lease"])
