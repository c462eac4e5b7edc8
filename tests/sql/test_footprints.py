"""What the hot functions touch at 50,000 tasks: rows written, and the indexes by which rows are found.

A plan that goes astray (a partial index full of dead entries, a scan of a whole table) shows here as another
index or as a scan. Counted by the server itself within one transaction, which is rolled back.
"""

from typing import Any

import psycopg
import pytest

from service.store.queries import load
from tests.sql.snapshots import compare

TASKS = 50_000
TABLES = ("background_tasks", "events", "task_attempts")
FILL = """
    SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]');
    SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4);
    SET statement_timeout = '60s';
    DO $$ DECLARE _got record; BEGIN
        FOR _n IN 1 .. 50 LOOP
            PERFORM count(*) FROM enqueue_tasks((
                SELECT jsonb_agg('{"task_type": "noop", "params": {"text": "a hundred bytes of it"}}'::jsonb)
                FROM generate_series(1, 1000) n), ring => false);
        END LOOP;
        FOR _n IN 1 .. 25 LOOP
            SELECT array_agg(c.task_id) AS ids, array_agg(c.lease) AS leases INTO _got
            FROM claim_tasks('w-1', '{default}', '{noop}', 1000) c;
            PERFORM count(*) FROM end_attempts('w-1', _got.ids, _got.leases,
                array_fill('completed'::text, '{1000}'), array_fill('{}'::jsonb, '{1000}'), ring => false);
        END LOOP;
        PERFORM count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 500);
        PERFORM count(*) FROM enqueue_tasks((
            SELECT jsonb_agg('{"task_type": "noop", "run_at": "2999-01-01"}'::jsonb)
            FROM generate_series(1, 500) n), ring => false);
    END $$;
    ANALYZE;
"""
HELD = """
    SELECT array_agg(t.task_id), array_agg(t.lease)
    FROM (SELECT * FROM background_tasks t WHERE t.status = 'running' ORDER BY t.task_id LIMIT 200) t
"""
END = "SELECT count(*) FROM end_attempts('w-1', $1, $2, array_fill('{}'::text, '{{200}}'), {})"
NOTHING = "array_fill('{}'::jsonb, '{200}')"
STATEMENTS = {
    "enqueue 200": 'SELECT count(*) FROM enqueue_tasks((SELECT jsonb_agg(\'{"task_type": "noop"}\'::jsonb)'
    " FROM generate_series(1, 200)))",
    "enqueue 1": "SELECT enqueue_task('noop')",
    "claim 200": "SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 200)",
    "claim 200 by a mark": "SELECT count(*) FROM claim_tasks('w-1', '{default}', '{noop}', 200,"
    " ARRAY[ROW((SELECT lane FROM lanes WHERE queue = 'default' AND class = 2), 25000, NULL)::lane_mark])",
    "when the next is due": "SELECT next_due_in('{default}', '{noop}')",
    "claim, nothing there": "SELECT count(*) FROM claim_tasks('w-1', '{default}', '{none}', 200)",
    "complete 200": END.format("completed", NOTHING),
    "fail 200": END.format("failed", NOTHING),
    "release 200": END.format("released", NOTHING),
    "progress 200": "SELECT count(*) FROM progress_tasks('w-1', $1, $2, array_fill(50::real, '{200}'),"
    " array_fill(NULL::text, '{200}'), array_fill(NULL::jsonb, '{200}'))",
    "cancel 200": "SELECT count(*) FROM cancel_tasks($1) WHERE $2::integer[] NOTNULL",
    "rescue 500": "SELECT count(*) FROM rescue_tasks('w-1', (SELECT seen_at FROM workers))",
    "follow 1000": "SELECT count(*) FROM events_after(1000, 1000)",
    "count 1000": "SELECT count_task_events(1000, 2000)",
    "a task at a position": "SELECT count(*) FROM task_at('task-100000000', 60000::bigint)",
    "tasks running at a position": "SELECT count(*) FROM tasks_at(90000::bigint, '{running}')",
    "a page of the past": "SELECT count(*) FROM tasks_page_at(90000)",
    "counts of the past by a mark": "SELECT count(*) FROM extend_depth_marks(4000),"
    " queue_depth_at(3500::bigint)",
    "one life": "SELECT count(*) FROM task_history('task-100000001')",
    "where its time went": "SELECT count(*) FROM task_time_spent('task-100000001')",
    "why it waits": "SELECT count(*) FROM why_pending('task-100030000')",
}
TABLE_COUNTS = """
    SELECT relname, seq_scan, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables
    WHERE schemaname = 'public' AND relname = ANY ($1)
"""
# Without empty ones: each of them tells that there are no such rows, and which is asked is chance.
INDEX_COUNTS = """
    SELECT t.relname, i.relname
    FROM pg_index x
    JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_class i ON i.oid = x.indexrelid
    WHERE t.relname = ANY ($1) AND t.relnamespace = 'public'::regnamespace
      AND pg_stat_get_xact_numscans(i.oid) > 0 AND i.reltuples > 0
    ORDER BY i.relname
"""


# Of which package, with which arguments; what runs began after position 100,000.
READS = {
    "task": ("store", ["task-100030000"]),
    "stream": ("store", ["task", "task-100030000", 0, 100]),
    "queue_position": ("store", ["task-100030000"]),
    "cancellations": ("store", [["task-100030000", "task-100030001"]]),
    "list_tasks": ("store", [*[None] * 9, 51]),
    "overdue": ("relay", [100_000]),
    "suspects": ("fleet", [None, 100_000]),
    "held": ("worker", ["w-1", 100_000]),
}


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(FILL.encode())
    return module_database


def footprint(dsn: str, statement: str, arguments: Any) -> list[str]:
    """A line for each table: rows written, whole scans, indexes used. A connection counts from zero."""
    with psycopg.connect(dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(statement.encode(), arguments)
        indexes: dict[str, list[str]] = {}
        for table, index in connection.execute(INDEX_COUNTS.encode(), [list(TABLES)]):
            indexes.setdefault(table, []).append(index)
        lines = []
        for table, scans, *written in connection.execute(TABLE_COUNTS.encode(), [list(TABLES)]):
            told = [
                f"{n} {verb}"
                for n, verb in zip(written, ("inserted", "updated", "deleted"), strict=True)
                if n
            ]
            told += ["A SCAN OF THE WHOLE TABLE"] if scans else []
            told += [f"by {', '.join(indexes[table])}"] if table in indexes else []
            lines += [f"  {table}: {'; '.join(told)}"] if told else []
        connection.rollback()
        return sorted(lines)


def test_hot_statements_touch_what_was_reviewed(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        held = connection.execute(HELD.encode()).fetchone()
    assert held
    lines = [f"At {TASKS:,} tasks, half of them completed, and 500 for later:"]
    for name, statement in STATEMENTS.items():
        lines += ["", name, *footprint(filled, statement, held if "$1" in statement else None)]
    for name, (package, arguments) in READS.items():
        lines += ["", f"{name}.sql", *footprint(filled, load(f"service.{package}")[name], arguments)]
    compare("footprints.txt", "\n".join(lines) + "\n")
