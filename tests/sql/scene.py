"""A small database for SQL tests: a task that runs, one that waits, a worker, an agent, a type, a key."""

import json
from typing import Any

import psycopg

AGENT = "5f3c0c5e-0000-4000-8000-000000000000"
NODE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
TAXONOMY = [{"node_id": NODE, "label": "Testing", "canonical_path": ["Testing"]}]
BORN = {"name": "a", "taxonomy_version": "1.0.0", "taxonomy_node_ids": [NODE]}
BORN |= {"retrieval_config": {}, "features_config": {}}
STATEMENTS = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)",
    "SELECT enqueue_task('noop', task_id => 'task-100000001')",
    "SELECT claim_tasks('w-1', '{default}', '{noop}', 1)",
    "SELECT enqueue_task('noop', task_id => 'task-waiting')",
    "SELECT create_key('known', sha256('known'), '{read}')",
    f"SELECT import_taxonomy('1.0.0', '{json.dumps(TAXONOMY)}')",
    f"SELECT append_events(ARRAY[ROW('agent', '{AGENT}', 'agent.created', '{json.dumps(BORN)}',"
    " NULL, NULL, NULL, NULL)::event_draft])",
)


def build(dsn: str) -> None:
    """Fill an empty database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in STATEMENTS:
            connection.execute(statement.encode())


def head(connection: psycopg.Connection[Any]) -> tuple[Any, ...]:
    """What changes when anything is written: the log, the drawn positions aside, and the request keys."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM events), (SELECT max(position) FROM events),"
        " (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM stream_heads),"
        " (SELECT count(*) FROM task_types)"
    ).fetchone()
    assert row
    return row
