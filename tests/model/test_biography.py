"""Random lives are told as they were: each state, each change, and where the time went."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from tests.model.concurrency import settle_at_once
from tests.model.database import Session, session
from tests.model.history import Operation, programs, run
from tests.model.reference_fold import Event, Fold
from tests.model.reference_time import Span, time_spent
from tests.model.world import TYPES, World

EXAMPLES = 500 if os.environ.get("ANNALS_MODEL") == "long" else 25
NOISE = {
    *(
        "task_id",
        "agent_id",
        "lane",
        "version",
        "lease",
        "enqueued_position",
        "queued_position",
        "started_position",
    ),
    *("ready_position", "changed_position", "created_at", "started_at", "completed_at"),
}
REMOVED = {"agent.deleted", "retention.applied"}
FOR_EVER = timedelta(days=3650)


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        settle_at_once(s)
        yield s


@given(program=programs)
@settings(max_examples=EXAMPLES)
def test_every_life_of_a_history_is_told_as_it_was(world_session: Session, program: list[Operation]) -> None:
    with world_session.connection.transaction(force_rollback=True):
        world = World(world_session)
        world.prepare()
        run(world, program)
        events = world_session.events()
        lives = lives_of(events)
        assert_steps_tell_the_states(world_session, events)
        for task_id, life in lives.items():
            assert_time_is_accounted_for(world_session, task_id, life, events, world.now + timedelta(hours=1))


def lives_of(events: list[Event]) -> dict[str, list[Event]]:
    """The events of each task, with the end of its agent when that took the row."""
    lives: dict[str, list[Event]] = {}
    for event in events:
        if event["stream_type"] == "task":
            lives.setdefault(event["stream_id"], []).append(event)
        elif event["type"] == "agent.deleted":
            for life in lives.values():
                subject = life[0]["data"].get("subject")
                if subject == f"agent:{event['stream_id']}" and life[-1]["type"] != "agent.deleted":
                    life.append(event)
    return lives


def assert_steps_tell_the_states(s: Session, events: list[Event]) -> None:
    """status, attempt and changes of each step are those of the reference fold after its event."""
    fold = Fold(s.lanes())
    lives = lives_of(events)
    told = {task_id: iter(s.call("task_history", task_id=task_id)) for task_id in lives}
    known: dict[str, dict[str, Any]] = {task_id: {} for task_id in told}
    for event in events:
        fold.apply(event)
        if event["stream_type"] not in ("task", "webhook"):
            continue
        own = event["stream_type"] == "task"
        task_id = event["stream_id"] if own else event["data"]["task_id"]
        step = next(step for step in told[task_id] if step["type"] not in REMOVED)
        assert (step["position"], step["version"]) == (event["position"], event["version"] if own else None)
        if (row := fold.background_tasks.get(task_id)) is None:
            assert (step["status"], step["changes"]) == (None, {}), "a webhook outlives the row of its task"
            continue
        assert (step["status"], step["attempt"]) == (row["status"], row["attempt"])
        for name, (before, after) in step["changes"].items():
            assert (known[task_id].get(name) or None) == (before or None), (name, step)
            known[task_id][name] = after
        for name, value in row.items():
            if name not in NOISE and name != "run_at":
                assert (known[task_id].get(name) or None) == pytest.approx(value or None), (name, step)
    for rest in told.values():
        assert {step["type"] for step in rest} <= REMOVED


def assert_time_is_accounted_for(
    s: Session, task_id: str, life: list[Event], events: list[Event], at: datetime
) -> None:
    """Each phase is what the reference says, and together they are the whole life."""
    paused = pauses(events, life[0]["data"]["queue"], at)
    expected, length = time_spent(life, paused, signs(events), told_until(events, at), at)
    rows = s.call("task_time_spent", task_id=task_id, at=at)
    found = {row["phase"]: row["seconds"] for row in rows}
    assert found == pytest.approx({phase: took.total_seconds() for phase, took in expected.items()}, abs=1e-5)
    assert sum(found.values()) == pytest.approx(length.total_seconds(), abs=1e-5)
    assert sum(row["share"] for row in rows) == pytest.approx(1 if rows else 0)


def pauses(events: list[Event], queue: str, at: datetime) -> list[Span]:
    spans: list[Span] = []
    since = None
    for event in events:
        if event["stream_type"] == "queue" and event["stream_id"] == queue:
            if event["type"] == "queue.paused":
                since = event["recorded_at"]
            elif since is not None:
                spans, since = [*spans, (since, event["recorded_at"])], None
    return [*spans, (since, at + FOR_EVER)] if since else spans


def signs(events: list[Event]) -> dict[str, datetime]:
    """When each worker that ended was last known to live."""
    told = {}
    for event in events:
        if event["type"] in ("worker.lost", "worker.stopped"):
            seen_at = event["data"].get("seen_at")
            told[event["stream_id"]] = datetime.fromisoformat(seen_at) if seen_at else event["recorded_at"]
    return told


def told_until(events: list[Event], at: datetime) -> dict[int, datetime]:
    """When the webhook of each end was first delivered or given up; `at` for one that is on its way."""
    told: dict[int, datetime] = {}
    for event in events:
        if event["type"] == "webhook.requested" and event["version"] == 1:
            told[event["causation_id"]] = at
        elif (
            event["type"] in ("webhook.delivered", "webhook.abandoned")
            and told.get(event["causation_id"]) == at
        ):
            told[event["causation_id"]] = event["recorded_at"]
    return told
