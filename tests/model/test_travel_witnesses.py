"""For each way in which a task of the past is found: it is needed, for without it such a task is missed."""

from collections.abc import Callable, Iterator

import pytest

from tests.model.concurrency import without
from tests.model.database import Session, session

AGENT = "5f3c0c5e-0000-4000-8000-00000000000a"


@pytest.fixture
def s(database: str) -> Iterator[Session]:
    with session(database) as s:
        s.call("publish_task_types", types=[{"task_type": "noop", "code_version": "1", "max_attempts": 1}])
        s.rows("SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 1)")
        s.rows("SELECT enqueue_task('noop', task_id => 't', subject => %s)", f"agent:{AGENT}")
        yield s


def claim(s: Session) -> None:
    s.call("claim_tasks", worker_id="w-1", queues=["default"], task_types=["noop"], slots=1)


def complete(s: Session) -> None:
    s.rows("SELECT complete_task('t', 2)")


def fail(s: Session) -> None:
    s.rows("SELECT fail_task('t', 2, 'no', retry => false)")


def cancel(s: Session) -> None:
    s.rows("SELECT cancel_task('t')")


def retry(s: Session) -> None:
    s.rows("SELECT retry_task('t')")


def rescue(s: Session) -> None:
    s.rows("SELECT rescue_tasks('w-1', seen_at) FROM workers")


def progress(s: Session) -> None:
    s.call(
        "progress_tasks",
        worker_id="w-1",
        task_ids=["t"],
        leases=[2],
        percentages=[5],
        steps=[None],
        checkpoints=[None],
    )


def delete(s: Session) -> None:
    s.rows(
        "SELECT append_events(ARRAY[ROW('agent', %s, 'agent.deleted', '{}', NULL, NULL, NULL, NULL)"
        "::event_draft])",
        AGENT,
    )


def snooze(s: Session) -> None:
    s.rows("SELECT snooze_task('t', 2, 3600, 'w-1')")


def retain(s: Session) -> None:
    s.rows("SELECT apply_retention('dead_letters', interval '0')")


def retain_attempts(s: Session) -> None:
    s.rows("SELECT apply_retention('attempts', interval '0')")


Steps = list[Callable[[Session], None]]
A, B = (
    "SELECT a.task_id FROM task_attempts a\n    WHERE ",
    "SELECT b.task_id FROM background_tasks b\n    WHERE ",
)
GONE = (
    'tasks_removed_since(tasks_changed_since."position", tasks_changed_since.statuses,'
    " tasks_changed_since.newer_than) g"
)
OF_ATTEMPTS = "batch.data ->> 'what' = 'attempts'"
RUNNING, PENDING = (f"'{status}' = ANY (tasks_changed_since.statuses)" for status in ("running", "pending"))
STORIES: dict[str, tuple[Steps, Steps, str, str]] = {
    "it ran and ended": ([claim], [complete], "running", A + RUNNING),
    "it runs and has progressed": ([claim], [progress], "running", B + RUNNING),
    "it waited, ran and ended": ([], [claim, complete], "pending", A + PENDING),
    "it waited and runs": ([], [claim], "pending", f"{B}{PENDING} AND b.status = 'running'"),
    "it waits and a stale worker was refused": (
        [claim, rescue],
        [complete],
        "pending",
        f"{B}{PENDING} AND b.status = 'pending'",
    ),
    "it waited and was cancelled": (
        [],
        [cancel],
        "pending",
        f"{PENDING}\n      AND e.type = 'task.cancelled'",
    ),
    "it had failed and was retried": ([claim, fail], [retry], "failed", "'task.retry_requested'"),
    "it went with its agent": ([], [delete], "pending", GONE),
    "it went by retention": ([claim, fail], [retain], "failed", GONE),
    "it ran, and retention took the attempt": ([claim], [snooze, retain_attempts], "running", OF_ATTEMPTS),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_task_is_found_as_it_was_and_by_this_way_only(s: Session, story: str) -> None:
    before, after, status, way = STORIES[story]
    for step in before:
        step(s)
    position = s.head()
    for step in after:
        step(s)
    found = "SELECT task_id, status FROM tasks_at(%s::bigint, ARRAY[%s])"
    assert s.rows(found, position, status) == [{"task_id": "t", "status": status}]
    instead = f"{way} WHERE false" if way.endswith(" g") else way.replace(f"'{status}' =", "'never' =")
    for told in ("'task.retry_requested'", "'attempts'"):
        instead = instead.replace(told, "'never'")
    without(s, "tasks_changed_since", way, instead)
    assert s.rows(found, position, status) == []
