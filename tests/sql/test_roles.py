"""Who may do what: the log refuses change whoever asks, the app writes by functions only, readers read."""

from typing import Any

import psycopg
import pytest

CHANGES = (
    "UPDATE events SET actor = 'me'",
    "DELETE FROM events",
    "TRUNCATE events",
    "UPDATE events SET actor = 'me' WHERE false",
)


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("replication", ["origin", "replica"])
def test_the_log_refuses_change_even_from_its_owner(
    connection: psycopg.Connection[Any], statement: str, replication: str
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL session_replication_role = {replication}".encode())
        with pytest.raises(psycopg.Error, match="events are append-only") as caught:
            connection.execute(statement.encode())
        assert caught.value.sqlstate == "AN409"


def as_role(connection: psycopg.Connection[Any], role: str, statement: str) -> list[Any]:
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL ROLE {role}".encode())
        return connection.execute(statement.encode()).fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events (stream_type, stream_id, version, type, actor, data)"
        " VALUES ('task', 'x', 1, 'task.enqueued', 'me', '{}') RETURNING 1",
        "UPDATE background_tasks SET status = 'completed' RETURNING 1",
        "DELETE FROM workers RETURNING 1",
        "SELECT repair_streams('queues', 'queue', '{default}')",
    ],
)
@pytest.mark.parametrize("role", ["annals_app", "annals_reader", "annals_archiver"])
def test_no_role_writes_a_table(connection: psycopg.Connection[Any], role: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(connection, role, statement)


def test_the_app_writes_by_functions(connection: psycopg.Connection[Any]) -> None:
    assert as_role(connection, "annals_app", "SELECT enqueue_task('noop')")
    assert as_role(connection, "annals_app", "SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
    assert as_role(connection, "annals_app", "SELECT cancel_task('task-waiting')") == [("cancelled",)]


def test_no_function_is_open_to_everybody(connection: psycopg.Connection[Any]) -> None:
    """Most are SECURITY DEFINER: whoever may connect could else create an API key."""
    open_functions = """
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
          AND has_function_privilege('public', p.oid, 'EXECUTE')
    """
    assert connection.execute(open_functions.encode()).fetchall() == []


@pytest.mark.parametrize("role", ["annals_reader", "annals_archiver"])
def test_readers_read_and_write_nothing(connection: psycopg.Connection[Any], role: str) -> None:
    for statement in (
        "SELECT * FROM task_history('task-100000001')",
        "SELECT * FROM events_after(0, 10)",
        "SELECT event_bytes(e) FROM events e",
        "SELECT * FROM queue_depth",
        "SELECT * FROM background_tasks",
    ):
        assert as_role(connection, role, statement), statement
    for statement in (
        "SELECT enqueue_task('noop')",
        "SELECT * FROM api_key_hashes",
        "SELECT cancel_task('x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role(connection, role, statement)
