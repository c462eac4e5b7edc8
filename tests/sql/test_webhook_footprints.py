"""What the functions of webhooks touch at 20,000 deliveries to 51 endpoints, half for one that is paused.

Counted by the server itself within one transaction, which is rolled back: no table that grows is scanned, and
no statement reads more rows than it works on.
"""

from typing import Any

import psycopg
import pytest

GROWING = ("events", "background_tasks", "webhook_deliveries", "stream_heads")
FILL = """
    SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]');
    SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4);
    SELECT lead_relay('r-1', 'h', 1, NULL, 3600);
    SET statement_timeout = '120s';
    DO $$ DECLARE _got record; BEGIN
        FOR _n IN 1 .. 21 LOOP
            PERFORM count(*) FROM enqueue_tasks((
                SELECT jsonb_agg(jsonb_build_object('task_type', 'noop', 'webhook_url', 'https://host-'
                       || CASE WHEN n % 2 = 0 THEN 0 ELSE n % 100 END || '.example/hook?n=' || n))
                FROM generate_series(1, 1000) n), ring => false);
            SELECT array_agg(c.task_id) AS ids, array_agg(c.lease) AS leases INTO _got
            FROM claim_tasks('w-1', '{default}', '{noop}', 1000) c;
            PERFORM count(*) FROM end_attempts('w-1', _got.ids, _got.leases,
                array_fill('completed'::text, '{1000}'), array_fill('{}'::jsonb, '{1000}'), ring => false);
            -- The last thousand is not asked for yet.
            PERFORM count(*) FROM request_webhooks(ARRAY(
                SELECT e.position FROM events e
                WHERE e.stream_id = ANY (_got.ids) AND e.type = 'task.completed'), ring => false)
            WHERE _n < 21;
        END LOOP;
        PERFORM change_endpoint('https://host-0.example/hook', 'paused', 'they deploy', ring => false);
    END $$;
    ANALYZE;
"""
# As in a new installation, before autovacuum has looked for the first time.
FILL_UNKNOWN = FILL.replace("1 .. 21", "1 .. 2").replace("_n < 21", "true").replace("ANALYZE;", "")
IDS = """
    SELECT array_agg(d.delivery_id), array_fill('{"http_status": 503, "next_delay_ms": 1000}'::text, '{200}')
    FROM (SELECT * FROM webhook_deliveries d WHERE d.endpoint <> 'https://host-0.example/hook' LIMIT 200) d
"""
END = (
    "SELECT count(*) FROM end_delivery_attempts($1, array_fill(1, '{{200}}'),"
    " array_fill('{}'::text, '{{200}}'), $2::text[]::jsonb[], 'r-1', 1)"
)
ASK = (
    "SELECT count(*) FROM request_webhooks(ARRAY(SELECT webhook_ends("
    "(SELECT max(position) - 200 FROM events WHERE type = 'task.completed'), 1000000)))"
)
# Rows read, at most, for each that a statement works on.
STATEMENTS = {
    "ask for 200": (ASK, 200),
    "ask for 200 once more": (ASK.replace("- 200", "- 4000"), 1000),
    "what is due": ("SELECT count(*) FROM due_deliveries()", 200),
    "what is due beside a probe": (
        "SELECT count(*) FROM due_deliveries(probing => '{https://host-0.example/hook}')",
        200,
    ),
    "when the next is due": ("SELECT next_delivery_at()", 1),
    "200 delivered": (END.format("delivered"), 200),
    "200 failed": (END.format("failed"), 200),
    "200 sent again": ("SELECT count(*) FROM redeliver($1) WHERE $2::text[]::jsonb[] NOTNULL", 200),
    "a look at a replay of 100": (  # of one stretch of 2,000 positions, which holds some 700
        'SELECT count(*) FROM replay_webhooks(0, (SELECT stable_position()), "limit" => 100)',
        700,
    ),
    "an endpoint disabled": (
        "SELECT change_endpoint('https://host-1.example/hook', 'disabled', 'gone')",
        1,
    ),
    "a body": ("SELECT webhook_body(d.event_position) FROM webhook_deliveries d LIMIT 1", 1),
    "a task of the past": ("SELECT task_at(($1::text[])[1], 1000::bigint), $2::text[]::jsonb[]", 1),
}
COUNTS = """
    SELECT relname, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
    WHERE schemaname = 'public' AND relname = ANY ($1)
"""
EACH = 40


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(FILL.encode())
    return module_database


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_reads_what_it_works_on(filled: str, name: str) -> None:
    statement, rows = STATEMENTS[name]
    with psycopg.connect(filled) as connection:
        picked: Any = connection.execute(IDS.encode()).fetchone() if "$1" in statement else None
    with psycopg.connect(filled, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(statement.encode(), picked)
        counts = connection.execute(COUNTS.encode(), [list(GROWING)]).fetchall()
        connection.rollback()
    for table, scanned, fetched in counts:
        assert scanned <= rows, f"{table} is scanned"
        assert fetched <= EACH * rows, f"{table}: {fetched} rows read"


def test_bodies_are_looked_up_one_by_one_also_without_statistics(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL_UNKNOWN.encode())
    with psycopg.connect(database, cursor_factory=psycopg.RawCursor) as connection:
        due = connection.execute('SELECT count(*) FROM due_deliveries(per_endpoint => 10, "limit" => 100)')
        assert due.fetchone() == (100,)
        read = connection.execute(COUNTS.encode(), [["events"]]).fetchone()
    assert read
    assert read[2] <= EACH * 100, f"{read[2]} events read"
