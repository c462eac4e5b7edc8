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
def test_the_log_refuses_change_even_from_its_owner(
    connection: psycopg.Connection[Any], statement: str
) -> None:
    with pytest.raises(psycopg.Error, match="events are append-only") as caught:
        connection.execute(statement.encode())
    assert caught.value.sqlstate == "AN409"


def test_no_setting_of_a_session_switches_the_triggers_of_the_log_off(
    connection: psycopg.Connection[Any],
) -> None:
    """ENABLE ALWAYS: session_replication_role = replica leaves them on."""
    states = (
        "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'events'::regclass AND NOT tgisinternal"
    )
    triggers = dict(connection.execute(states.encode()).fetchall())
    assert {"refuse_change", "fence_append", "project_tasks"} <= triggers.keys()
    assert set(triggers.values()) in ({"A"}, {b"A"})


def as_role(connection: psycopg.Connection[Any], role: str, statement: str) -> list[Any]:
    with connection.transaction(force_rollback=True):
        # Who may make roles may not always become them.
        connection.execute(f"GRANT {role} TO CURRENT_USER".encode())
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
        "SELECT begin_import()",
        "SELECT import_events('')",
        "SELECT finish_import(1)",
        "UPDATE webhook_deliveries SET status = 'delivered' RETURNING 1",
        "DELETE FROM webhook_endpoints RETURNING 1",
        "INSERT INTO webhook_secrets (scope, secret, created_at) VALUES ('default', 'x', now()) RETURNING 1",
    ],
)
@pytest.mark.parametrize("role", ["annals_app", "annals_reader", "annals_archiver"])
def test_no_role_writes_a_table(connection: psycopg.Connection[Any], role: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"denied for (table|function|schema)"):
        as_role(connection, role, statement)


def test_the_app_writes_by_functions(connection: psycopg.Connection[Any]) -> None:
    assert as_role(connection, "annals_app", "SELECT enqueue_task('noop')")
    assert as_role(connection, "annals_app", "SELECT * FROM claim_tasks('w-1', '{default}', '{noop}', 1)")
    assert as_role(connection, "annals_app", "SELECT cancel_task('task-waiting')") == [("cancelled",)]
    schedule = """SELECT outcome FROM set_schedule('s', '{"cron": "0 3 * * *", "task_type": "noop"}')"""
    assert as_role(connection, "annals_app", schedule) == [("created",)]
    assert as_role(connection, "annals_app", "SELECT leads_term FROM lead_relay('r', 'h', 1)") == [(1,)]
    assert as_role(connection, "annals_app", "SELECT extend_depth_marks(5, 1)") == [(5,)]
    assert as_role(connection, "annals_app", "SELECT task_id FROM tasks_page_at(5)")
    assert as_role(connection, "annals_app", "SELECT count(*) FROM request_webhooks('{3}')")
    paused = "SELECT outcome FROM change_endpoint('https://x.example', 'paused', 'they deploy')"
    assert as_role(connection, "annals_app", paused) == [("changed",)]
    first = f"SELECT first_secret('whsec_{'YWJj' * 12}'), count(*) FROM webhook_secrets"
    assert as_role(connection, "annals_app", first) == [(True, 0)]


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
        "SELECT * FROM task_time_spent('task-100000001')",
        "SELECT * FROM why_pending('task-100000001')",
        "SELECT * FROM why_pending('task-waiting')",
        "SELECT * FROM events_after(0, 10)",
        "SELECT * FROM task_at('task-100000001', 2::bigint)",
        "SELECT * FROM tasks_at(now())",
        "SELECT * FROM queue_depth_at(2::bigint)",
        "SELECT event_bytes(e) FROM events e",
        "SELECT * FROM queue_depth",
        "SELECT count(*) FROM errors",
        "SELECT count(*) FROM diff_tasks(0, 1), diff_errors(0, 1), diff_queues(0, 1), diff_events(0, 1)",
        "SELECT count(*) FROM diff_coverage(0, 1)",
        "SELECT * FROM background_tasks",
        "SELECT count(*) FROM follower_lag, schedules, parked_events, relays, relay_lease, task_counts",
        "SELECT count(*) FROM webhook_deliveries, webhook_endpoints, due_deliveries()",
        "SELECT webhook_body(1), webhook_id(e), (SELECT count(*) FROM webhook_drafts('{1}')) FROM events e",
    ):
        assert as_role(connection, role, statement), statement
    for statement in (
        "SELECT enqueue_task('noop')",
        "SELECT * FROM api_key_hashes",
        "SELECT * FROM webhook_secrets",
        "SELECT signing_secrets('https://x.example')",
        "SELECT request_webhooks('{1}')",
        "SELECT redeliver('{x}')",
        "SELECT change_endpoint('https://x.example', 'disabled', 'no')",
        "SELECT end_delivery_attempts('{}', '{}', '{}', '{}', 'r', 1)",
        "SELECT cancel_task('x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"denied for (table|function)"):
            as_role(connection, role, statement)
