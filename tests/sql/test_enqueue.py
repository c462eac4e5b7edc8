"""Enqueues that are written in one go leave what the same tasks leave when each is drafted by itself."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

TYPES = [
    {"task_type": "plain", "code_version": "1"},
    {"task_type": "prefixed", "code_version": "1", "id_prefix": "mail-", "queue": "mail", "priority": 2},
    {
        "task_type": "about",
        "code_version": "1",
        "subject_type": "order",
        "subject_param": "order",
        "limit_group": "shop",
    },
]
LISTS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"task_type": "plain", "params": {"n": n}} for n in range(3)],
    "without params": [{"task_type": "plain"}] * 3,
    "some without params": [{"task_type": "plain", "params": {"n": 1}}, {"task_type": "plain"}],
    "no params but null": [{"task_type": "plain", "params": None}] * 2,
    "nulls inside params": [{"task_type": "plain", "params": {"n": None}}] * 2,
    "ids with a prefix": [{"task_type": "prefixed", "params": {"n": n}} for n in range(3)],
    "options": [
        {
            "task_type": "plain",
            "params": {"n": n},
            "priority": 9,
            "queue": "rare",
            "subject": "order:1",
            "run_at": "2999-01-01T00:00:00Z",
            "max_attempts": 7,
            "timeout_seconds": 0.5,
            "backoff": {"kind": "fixed", "seconds": 3},
            "webhook_url": "https://example.com/hook",
        }
        for n in range(3)
    ],
    "derived subjects": [{"task_type": "about", "params": {"order": n}} for n in range(3)],
    "given subjects": [
        {"task_type": "about", "params": {"order": n}, "subject": "order:x"} for n in range(3)
    ],
    "of several types": [{"task_type": "plain"}, {"task_type": "prefixed"}, {"task_type": "plain"}],
    "keys": [{"task_type": "plain", "unique_key": f"k-{n}"} for n in range(2)],
}
ENQUEUE = "SELECT * FROM enqueue_tasks(%s, 'psql:me', 'c', at => '2026-03-02Z', ring => false)"
EVENTS = """
    SELECT e.data, e.actor, e.correlation_id, e.recorded_at, e.version,
           regexp_replace(e.stream_id, '[0-9a-f-]{7,}$', '')
    FROM unnest(%s::text[]) WITH ORDINALITY AS u (task_id, n)
    JOIN events e ON e.stream_type = 'task' AND e.stream_id = u.task_id
    ORDER BY u.n
"""
ROWS = """
    SELECT t.queue, t.priority, t.subject, t.run_at, t.max_attempts, t.timeout_seconds,
           t.webhook_url, t.status, l.queue, l.class, l.limit_group
    FROM background_tasks t
    JOIN unnest(%s::text[]) WITH ORDINALITY AS u (task_id, n) USING (task_id)
    JOIN lanes l USING (lane)
    ORDER BY u.n
"""
Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(module_database: str) -> Iterator[Connection]:
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute("SELECT publish_task_types(%s)", [Jsonb(TYPES)])
        yield connection


def left_by(connection: Connection, lists: list[list[dict[str, Any]]]) -> tuple[list[Any], list[Any]]:
    """Events and rows that enqueues leave, one for each list; undone."""
    with connection.transaction(force_rollback=True):
        ids, queues = [], []
        for tasks in lists:
            found = connection.execute(ENQUEUE, [Jsonb(tasks)]).fetchall()
            assert [row[0] for row in found] == list(range(1, len(tasks) + 1))
            assert [row[2] for row in found] == ["enqueued"] * len(tasks)
            positions = [row[3] for row in found]
            assert positions == sorted(positions)
            ids += [row[1] for row in found]
            queues += [row[4] for row in found]
        rows = connection.execute(ROWS, [ids]).fetchall()
        assert [row[0] for row in rows] == queues
        assert len(set(ids)) == len(ids) == len(rows)
        return connection.execute(EVENTS, [ids]).fetchall(), rows


@pytest.mark.parametrize("name", LISTS)
def test_together_they_leave_what_each_leaves_alone(connection: Connection, name: str) -> None:
    alone = left_by(connection, [[task] for task in LISTS[name]])
    assert left_by(connection, [LISTS[name]]) == alone
    # With another one among them that is unlike, each is drafted by itself.
    other = {"task_type": "plain", "queue": "another"}
    events, rows = left_by(connection, [[*LISTS[name], other]])
    assert (events[:-1], rows[:-1]) == alone


BAD = {
    "an unknown field": ({"task_type": "plain", "prio": 1}, "AN422", "task 2 has unknown fields: prio"),
    "params of another kind": (
        {"task_type": "plain", "params": [1]},
        "AN422",
        "task 2 has params that are not an object",
    ),
    "an unknown type": ({"task_type": "plan"}, "AN422", "task 2 has the unknown task_type 'plan'"),
    "too big": ({"task_type": "plain", "params": {"x": "x" * 300_000}}, "AN413", "task 2 is larger than"),
    "no object": (1, "AN422", "a task has a field of the wrong type"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_that_is_bad_among_many_that_are_alike_is_refused_with_its_place(
    connection: Connection, name: str
) -> None:
    task, code, message = BAD[name]
    with pytest.raises(psycopg.Error, match=message) as refused:
        connection.execute(
            ENQUEUE, [Jsonb([{"task_type": "plain", "params": {}}, task, {"task_type": "plain"}])]
        )
    assert refused.value.sqlstate == code
    count = "SELECT count(*) FROM background_tasks WHERE task_type = 'plain'"
    assert connection.execute(count).fetchone() == (0,)


def test_each_of_a_list_may_have_a_correlation_id_of_its_own(connection: Connection) -> None:
    query = """
        WITH e AS (SELECT * FROM enqueue_tasks(%s, 'psql:me', 'all', correlation_ids => %s, ring => false))
        SELECT e.position FROM e
    """
    with connection.transaction(force_rollback=True):
        found = connection.execute(query, [Jsonb([{"task_type": "plain"}] * 3), ["a", None, "c"]])
        positions = [row[0] for row in found]
        told = "SELECT correlation_id FROM events WHERE position = ANY (%s) ORDER BY position"
        assert connection.execute(told, [positions]).fetchall() == [("a",), ("all",), ("c",)]


def test_no_setting_of_a_session_keeps_an_event_from_being_folded(connection: Connection) -> None:
    connection.execute("SET annals.others = ''")
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT enqueue_task('plain', queue => 'held')")
        connection.execute("SET LOCAL annals.others = ''")
        connection.execute("SELECT pause_queue('held', 'a test')")
        waiting = "SELECT count(*) FROM background_tasks WHERE queue = 'held'"
        assert connection.execute(waiting).fetchone() == (1,)
        assert connection.execute("SELECT paused FROM queues WHERE queue = 'held'").fetchone() == (True,)
        head = "SELECT version FROM stream_heads WHERE stream_type = 'queue' AND stream_id = 'held'"
        assert connection.execute(head).fetchone() == (1,)
