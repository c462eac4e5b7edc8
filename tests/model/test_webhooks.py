"""What holds of webhooks after any history: numbers, ids, attempts, bodies; and in an imported log."""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import given, settings

from service.audit.bundle import collect
from service.settings import load
from service.store.migrate import down, migrate
from service.store.pool import Database
from service.store.schema import known_migrations
from tests.carrying import Clone, cloning, export_file, export_lines, import_file, import_lines
from tests.forgery.victims import rebuilt
from tests.model.database import Session, assert_folds_agree, session
from tests.model.history import Operation, programs, run
from tests.model.reference_fold import TERMINAL, Event
from tests.model.webhook_operations import RELAY, lead, send
from tests.model.world import TYPES, World

if TYPE_CHECKING:
    from tests.conftest import Server

EXAMPLES = 500 if os.environ.get("ANNALS_MODEL") == "long" else 20
SETTINGS = ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "extra_float_digits = -5")


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        yield s


@given(program=programs)
@settings(max_examples=EXAMPLES)
def test_what_holds_of_webhooks_after_any_history(world_session: Session, program: list[Operation]) -> None:
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        run(world, program[::2])
        send(world, 1, 1, 2)
        before = bodies(s)
        run(world, program[1::2])
        with s.connection.transaction(force_rollback=True):
            for setting in SETTINGS:
                s.rows(f"SET LOCAL {setting}")
            assert before.items() <= bodies(s).items(), "a body is another than it was"
        events = s.events()
        assert_numbers_are_whole(events)
        assert_one_delivery_for_each_end(events)
        assert_attempts_are_their_events(s, events)
        assert_nothing_changes_that_may_not(world)


def bodies(s: Session) -> dict[str, str]:
    rows = s.rows(
        "SELECT d.delivery_id, webhook_body(d.event_position) AS body FROM webhook_drafts(ARRAY("
        "SELECT position FROM events WHERE stream_type = 'task')) d"
    )
    return {row["delivery_id"]: row["body"] for row in rows}


def assert_numbers_are_whole(events: list[Event]) -> None:
    """From 1, without a gap, each for one delivery; taken in order, kept when it is sent again."""
    numbers: dict[str, dict[str, int]] = defaultdict(dict)
    for event in events:
        if event["type"] == "webhook.requested":
            given, data = numbers[event["data"]["endpoint"]], event["data"]
            expected = given.get(event["stream_id"], len(given) + 1)
            assert data["sequence"] == expected, event
            given[event["stream_id"]] = expected
        elif event["type"] == "webhook.skipped":
            assert "sequence" not in event["data"] and event["version"] == 1


def assert_one_delivery_for_each_end(events: list[Event]) -> None:
    """An end has one stream, which names it as its cause; each stream belongs to an end with a webhook."""
    by_position = {event["position"]: event for event in events}
    hooked = {event["stream_id"] for event in events if "webhook_url" in event["data"]}
    told: dict[int, str] = {}
    for event in events:
        if event["type"] in ("webhook.requested", "webhook.skipped"):
            end = by_position[event["causation_id"]]
            assert end["type"] in TERMINAL and end["stream_id"] in hooked
            assert told.setdefault(end["position"], event["stream_id"]) == event["stream_id"]
            assert event["data"]["event_position"] == end["position"]
            assert event["correlation_id"] == end["correlation_id"]


def assert_attempts_are_their_events(s: Session, events: list[Event]) -> None:
    made = Counter(event["stream_id"] for event in events if event["type"] in ATTEMPTS)
    failed = Counter(
        event["data"]["task_id"] for event in events if event["type"] == "webhook.attempt_failed"
    )
    for delivery_id, row in s.read_model("webhook_deliveries").items():
        assert row["attempts"] == made[delivery_id]
    for task_id, row in s.read_model("background_tasks").items():
        assert row["webhook_retry_count"] == failed[task_id]


ATTEMPTS = ("webhook.attempt_failed", "webhook.delivered")


def assert_nothing_changes_that_may_not(world: World) -> None:
    """A stale attempt, one that was left out, and any attempt of a relay that does not lead."""
    s, term = world.session, lead(world)
    rows = s.read_model("webhook_deliveries")
    head = s.head()
    for shift in (0, 2):
        told = s.call(
            "end_delivery_attempts",
            delivery_ids=list(rows),
            attempts=[row["attempts"] + shift for row in rows.values()],
            outcomes=["delivered"] * len(rows),
            details=[{}] * len(rows),
            relay_id=RELAY,
            term=term,
        )
        assert {row["outcome"] for row in told} <= {"stale"}
    with pytest.raises(psycopg.Error) as caught, s.connection.transaction():
        s.rows("SELECT end_delivery_attempts('{}', '{}', '{}', '{}', %s, %s)", RELAY, term + 1)
    assert caught.value.sqlstate == "AN410"
    assert (s.head(), s.read_model("webhook_deliveries")) == (head, rows)


def test_an_imported_log_asks_for_nothing_twice(server: "Server", template: str, tmp_path: Path) -> None:
    """The follower begins at 0 in the new database: what was asked for is known by its id."""
    clone: Clone = cloning(server, template)
    with clone() as source, clone() as target:
        with session(source) as s:
            s.call("publish_task_types", types=TYPES)
            world = World(s)
            world.prepare()
            send(world, 1, 1, 2)
            [late] = s.call("enqueue_tasks", tasks=[{"task_type": "noop", "webhook_url": URL}])
            s.call("cancel_tasks", task_ids=[late["task_id"]])
            told = bodies(s)
        asyncio.run(export_file(source, tmp_path / "log.jsonl"))
        asyncio.run(import_file(target, tmp_path / "log.jsonl"))
        with session(target) as s:
            assert bodies(s) == told
            asked = s.rows("SELECT r.* FROM request_webhooks(ARRAY(SELECT webhook_ends(0, 1000000))) r")
            assert Counter(row["outcome"] for row in asked) == {"known": len(told) - 1, "requested": 1}
            assert_numbers_are_whole(s.events())
            assert_one_delivery_for_each_end(s.events())


def test_one_task_is_carried_with_its_webhooks(server: "Server", template: str) -> None:
    """By an export of it and by its bundle alike: a relay that follows the copy sends nothing once more."""
    clone: Clone = cloning(server, template)
    with clone() as source, session(source) as s:
        s.call("publish_task_types", types=TYPES)
        world = World(s)
        world.prepare()
        send(world, 2, 1, 2)
        s.call("redeliver", delivery_ids=sorted(s.read_model("webhook_deliveries")))
        tasks = s.read_model("background_tasks")
        task_id = max(tasks, key=lambda name: tasks[name]["webhook_retry_count"])
        assert tasks[task_id]["webhook_retry_count"] > 0
        exported = asyncio.run(export_lines(source, tasks=[task_id]))
        for lines in (exported, asyncio.run(bundle_lines(source, task_id))):
            with clone() as target, session(target) as copy:
                asyncio.run(import_lines(target, lines))
                [row] = copy.rows("SELECT * FROM background_tasks")
                assert row["webhook_retry_count"] == tasks[task_id]["webhook_retry_count"]
                asked = copy.rows(
                    "SELECT r.* FROM request_webhooks(ARRAY(SELECT webhook_ends(0, 1000000))) r"
                )
                assert [row["outcome"] for row in asked] == ["known"]
                assert_folds_agree(copy)


async def bundle_lines(dsn: str, task_id: str) -> list[bytes]:
    """The export inside a task's bundle."""
    own = load({})
    async with await Database.open(own.database, dsn) as db:
        members, _ = await collect(db, own, task_id)
    return members["events.jsonl"].splitlines()


URL = "https://x.example/h"


def test_after_a_roll_back_and_an_upgrade_a_rebuild_brings_deliveries_back(database: str) -> None:
    """Going down takes the tables, not the log: what was on its way is sent once they are folded again."""
    with session(database) as s:
        s.call("publish_task_types", types=TYPES)
        world = World(s)
        world.prepare()
        send(world, 1, 1, 2)
        s.call("change_endpoint", endpoint=URL, status="paused", reason="they deploy")
        before = {name: s.read_model(name) for name in MODELS}
    later = [name for name in known_migrations() if name >= "0009"]
    assert down(database, len(later)) == later[::-1]
    migrate(database)
    found = {name: len(rebuilt(database, name)) for name in MODELS}
    with session(database) as s:
        assert {name: s.read_model(name) for name in MODELS} == before
        assert found == {name: len(rows) for name, rows in before.items()}
        assert any(row["status"] == "pending" for row in before["webhook_deliveries"].values())
        assert_folds_agree(s)


MODELS = ("webhook_deliveries", "webhook_endpoints")
