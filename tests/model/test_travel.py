"""Looks at the past agree with replays: for random histories, every position, every status."""

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from service.store.queries import load
from tests.model.concurrency import settle_at_once
from tests.model.database import Session, session
from tests.model.history import Operation, programs, run
from tests.model.reference_fold import Fold, Row
from tests.model.test_histories import EXAMPLES
from tests.model.world import TYPES, World

MOST_POSITIONS = 200 if os.environ.get("ANNALS_MODEL") == "long" else 12
STATUSES = ("pending", "running", "completed", "failed", "cancelled", "timeout")
ATTEMPTS = load("service.store")["attempts_at"].encode()
CLASSES = {1: "high", 2: "medium", 3: "low"}


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        settle_at_once(s)
        yield s


def positions_of(events: list[Row], picks: list[int]) -> list[int]:
    """Every position of a short history, the same number of random ones of a long one; 0 and the end too."""
    first, last = events[0]["position"] - 1, events[-1]["position"]
    if last - first <= MOST_POSITIONS:
        return list(range(first, last + 1))
    return sorted({0, first, last, *(first + pick % (last - first + 1) for pick in picks)})


def replayed(s: Session, events: list[Row], position: int) -> dict[str, Row]:
    """background_tasks folded from the events up to a position by the triggers that fold it always."""
    s.value("SELECT empty_shadow()")
    s.rows("SET LOCAL search_path = shadow, public")
    s.rows(
        "INSERT INTO shadow.events SELECT * FROM public.events WHERE position <= %s ORDER BY position",
        position,
    )
    rows = s.rows("SELECT * FROM shadow.background_tasks")
    s.rows("SET LOCAL search_path = public")
    return {row["task_id"]: row for row in rows}


def depths(rows: dict[str, Row]) -> dict[tuple[str, str], dict[str, int]]:
    """Counts by queue and class of the rows themselves."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows.values():
        rank = 1 if row["priority"] <= 3 else 2 if row["priority"] <= 7 else 3
        counts = found.setdefault((row["queue"], CLASSES[rank]), dict.fromkeys(STATUSES, 0))
        counts[row["status"]] += 1
    return found


def told_depths(s: Session, position: int) -> dict[tuple[str, str], dict[str, int]]:
    rows = s.rows("SELECT * FROM past_queue_depth(%s)", position)
    return {(row["queue"], row["class"]): {name: row[name] for name in STATUSES} for row in rows}


def paused_queues(fold: Fold) -> set[str]:
    return {name for name, row in fold.queues.items() if row["paused"]}


def keyed(rows: list[Row]) -> dict[str, Row]:
    found = {row["task_id"]: row for row in rows}
    assert len(found) == len(rows), "a task is told twice"
    return found


def assert_past(s: Session, events: list[Row], position: int, reference: Fold) -> None:
    """Every way to ask for the tasks at a position gives what a replay to it gives."""
    # Runs are told from the log, also when retention has taken the rows of their ends.
    whole = folded(s, [event for event in events if event["stream_id"] != "attempts"], position)
    past = replayed(s, events, position)
    assert {name: row["status"] for name, row in past.items()} == {
        name: row["status"] for name, row in reference.background_tasks.items()
    }
    assert keyed(s.rows("SELECT * FROM past_tasks(%s)", position)) == past
    for statuses in (*([status] for status in STATUSES), ["pending", "running"], ["failed", "timeout"], []):
        expected = {name: row for name, row in past.items() if row["status"] in statuses}
        assert keyed(s.rows("SELECT * FROM past_tasks(%s, %s::text[])", position, statuses)) == expected
        assert page(s, position, statuses=statuses) == newest_first(expected)
    for task_id in {event["stream_id"] for event in events if event["stream_type"] == "task"}:
        told = s.rows("SELECT * FROM past_task(%s, %s)", task_id, position)
        assert told == [row for name, row in past.items() if name == task_id]
        if task_id in past:
            assert_attempts(s, task_id, position, past[task_id], whole)
    assert page(s, position) == newest_first(past)
    assert told_depths(s, position) == depths(past)
    told = {row["queue"] for row in s.rows("SELECT * FROM past_queue_depth(%s) WHERE paused", position)}
    assert told == paused_queues(reference) & {row["queue"] for row in past.values()}


def assert_attempts(s: Session, task_id: str, position: int, task: Row, reference: Fold) -> None:
    """The runs that had begun: those of task_attempts, and the one that was open."""
    expected = [
        (row["attempt"], row["outcome"], row["started_at"], row["ended_at"], row["worker_id"])
        for (name, _), row in sorted(reference.task_attempts.items())
        if name == task_id
    ]
    if task["status"] == "running":
        expected.append((task["attempt"], "running", task["started_at"], None, task["worker_id"]))
    with psycopg.RawCursor(s.connection, row_factory=dict_row) as cursor:
        found = cursor.execute(ATTEMPTS, [task_id, position]).fetchall()
    columns = ("attempt", "status", "started_at", "ended_at", "worker_id")
    assert [tuple(row[column] for column in columns) for row in found] == expected


def newest_first(rows: dict[str, Row]) -> list[Row]:
    return sorted(rows.values(), key=lambda row: (row["created_at"], row["enqueued_position"]), reverse=True)


def page(s: Session, position: int, statuses: list[str] | None = None) -> list[Row]:
    """The whole list, three rows a page."""
    found: list[Row] = []
    while True:
        after = (found[-1]["created_at"], found[-1]["enqueued_position"]) if found else (None, None)
        rows = s.rows(
            "SELECT * FROM tasks_page_at(%s, statuses => %s::text[], before => %s, before_position => %s,"
            ' "limit" => 3)',
            *(position, statuses, *after),
        )
        found += rows
        if len(rows) < 3:
            return found


def folded(s: Session, events: list[Row], position: int) -> Fold:
    return Fold(s.lanes()).apply_all(event for event in events if event["position"] <= position)


@given(
    program=programs,
    picks=st.lists(st.integers(0, 10_000), min_size=8, max_size=8),
    spacing=st.integers(1, 9),
)
@settings(max_examples=EXAMPLES // 3)
def test_the_past_is_what_a_replay_to_it_gives(
    world_session: Session, program: list[Operation], picks: list[int], spacing: int
) -> None:
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        run(world, program)
        events = s.events()
        positions = positions_of(events, picks)
        for position in positions:
            assert_past(s, events, position, folded(s, events, position))
        unmarked = {position: told_depths(s, position) for position in positions}
        # In two steps, so that the second goes on from a mark of the first; then some are lost.
        for until in (positions[len(positions) // 2], positions[-1]):
            s.rows("SELECT write_depth_marks(%s, %s)", until, spacing)
        assert {position: told_depths(s, position) for position in positions} == unmarked
        assert_pages_hold_with_marks(s, positions)
        s.rows("DELETE FROM depth_marks WHERE position / %s %% 3 = 1", spacing)
        assert {position: told_depths(s, position) for position in positions} == unmarked


def assert_pages_hold_with_marks(s: Session, positions: list[int]) -> None:
    for position in positions:
        assert page(s, position) == newest_first(keyed(s.rows("SELECT * FROM past_tasks(%s)", position)))


def test_a_task_is_told_before_and_after_its_agent_took_it_along(world_session: Session) -> None:
    """Enqueued, cancelled with its agent, gone: and each of these at its position."""
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        [agent] = s.call("create_agent", name="a", taxonomy_node_ids=[NODE], at=world.now)
        task = {"task_type": "coverage_refresh", "params": {"agent_id": str(agent["agent_id"])}}
        [born] = s.call("enqueue_tasks", tasks=[task], at=world.now)
        [gone] = s.call("delete_agent", agent_id=agent["agent_id"], at=world.now)
        told = [
            [row["status"] for row in s.rows("SELECT * FROM past_task(%s, %s)", born["task_id"], position)]
            for position in (born["position"] - 1, born["position"], gone["position"] - 1, gone["position"])
        ]
        assert told == [[], ["pending"], ["cancelled"], []]


NODE = "00000000-0000-4000-8000-00000000000a"


def test_events_of_all_types_say_what_they_make_of_the_status(world_session: Session) -> None:
    """status_after and fold_task cannot part: each type, from each status that can precede it."""
    s = world_session
    born: dict[str, Any] = {"task_type": "noop", "queue": "default", "priority": 5, "max_attempts": 1}
    for name in EVENTS:
        after, folded_after = s.rows(
            "SELECT status_after(%s) AS after, (fold_task(fold_task(NULL, b), e)).status AS folded"
            " FROM jsonb_populate_record(NULL::events, %s::jsonb) b,"
            " jsonb_populate_record(NULL::events, %s::jsonb) e",
            *(name, _event("task.enqueued", 1, born), _event(name, 2, {"attempt": 1, "run_at": None})),
        )[0].values()
        assert folded_after == (after or "pending"), name


EVENTS = (
    *("task.started", "task.progressed", "task.completed", "task.retry_scheduled"),
    *("task.failed", "task.timed_out", "task.cancellation_requested", "task.cancelled", "task.snoozed"),
    *("task.released", "task.rescued", "task.completion_refused", "task.retry_requested", "task.abandoned"),
)


def _event(name: str, version: int, data: dict[str, Any]) -> str:
    return json.dumps({"type": name, "version": version, "position": version, "stream_id": "t", "data": data})
