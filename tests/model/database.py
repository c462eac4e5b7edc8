"""One connection of a test: calls of SQL functions, the log and the read models as Python values."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.model.reference_fold import Fold, Row

# Read models with their primary keys; free columns may change without an event.
READ_MODELS: dict[str, tuple[str, ...]] = {
    "background_tasks": ("task_id",),
    "task_attempts": ("task_id", "attempt"),
    "agents": ("agent_id",),
    "coverage_history": ("history_id",),
    "workers": ("worker_id",),
    "queues": ("queue",),
    "api_keys": ("name",),
    "schedules": ("name",),
    "parked_events": ("follower", "position"),
    "retention_totals": ("what",),
    "webhook_deliveries": ("delivery_id",),
    "webhook_endpoints": ("endpoint",),
    "stream_heads": ("stream_type", "stream_id"),
}
FREE_COLUMNS = {"workers": ("seen_at", "busy_slots", "loop_lag_seconds", "working_since")}


class Session:
    """A psycopg connection with autocommit, unless a test opens a transaction."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection

    def rows(self, statement: str, *arguments: Any) -> list[Row]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement.encode(), arguments or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *arguments: Any) -> Any:
        rows = self.rows(statement, *arguments)
        return next(iter(rows[0].values())) if rows else None

    def call(self, function: str, **arguments: Any) -> list[Row]:
        """All rows of a function called with named arguments; some are cast, by their name."""
        names = sql.SQL(", ").join(
            sql.SQL("{} => {}{}").format(sql.Identifier(name), sql.Placeholder(name), _cast(name))
            for name in arguments
        )
        statement = sql.SQL("SELECT * FROM {}({})").format(sql.Identifier(function), names)
        with self.connection.cursor() as cursor:
            cursor.execute(statement, {name: _adapt(name, value) for name, value in arguments.items()})
            return cursor.fetchall()

    def events(self, after: int = 0) -> list[Row]:
        return self.rows("SELECT * FROM events WHERE position > %s ORDER BY position", after)

    def head(self) -> int:
        return int(self.value("SELECT coalesce(max(position), 0) FROM events"))

    def read_model(self, name: str) -> dict[Any, Row]:
        rows = self.rows(f"SELECT * FROM {name}")
        for row in rows:
            for column in FREE_COLUMNS.get(name, ()):
                del row[column]
        keys = READ_MODELS[name]
        return {row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys): row for row in rows}

    def lanes(self) -> dict[tuple[str, int, str], int]:
        rows = self.rows("SELECT * FROM lanes")
        return {(row["queue"], row["class"], row["limit_group"]): row["lane"] for row in rows}


CASTS = {
    "tasks": "jsonb",
    "types": "jsonb",
    "records": "jsonb",
    "params": "jsonb",
    "nodes": "jsonb",
    "coverage": "jsonb",
    "result": "jsonb",
    "targets": "jsonb",
    "changes": "jsonb",
    "agent_id": "uuid",
    "taxonomy_node_ids": "uuid[]",
    "latency_ms": "float8",
    "drafts": "event_draft[]",
    "task_ids": "text[]",
    "leases": "integer[]",
    "outcomes": "text[]",
    "details": "jsonb[]",
    "checkpoints": "jsonb[]",
    "percentages": "real[]",
    "steps": "text[]",
    "marks": "lane_mark[]",
    "seen_at": "timestamptz",
    "definition": "jsonb",
    "position": "bigint",
    "expected": "bigint",
    "term": "bigint",
    "missed": "integer",
    "version": "integer",
    "lease_seconds": "real",
    "kept": "interval",
    "positions": "bigint[]",
    "delivery_ids": "text[]",
    "attempts": "integer[]",
    "probing": "text[]",
}


def _cast(name: str) -> sql.SQL:
    return sql.SQL(f"::{CASTS[name]}" if name in CASTS else "")


def _adapt(name: str, value: Any) -> Any:
    if CASTS.get(name) == "jsonb":
        return None if value is None else Jsonb(value)
    if CASTS.get(name) == "jsonb[]":
        return [None if item is None else Jsonb(item) for item in value]
    return value


@contextmanager
def session(dsn: str) -> Iterator[Session]:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield Session(connection)


def assert_folds_agree(s: Session) -> Fold:
    """The SQL fold's rows are those of the reference fold, and folding again in the shadow gives them too."""
    fold = Fold(s.lanes()).apply_all(s.events())
    for name in READ_MODELS:
        expected = getattr(fold, name)
        found = s.read_model(name)
        assert found.keys() == expected.keys(), name
        for key, row in expected.items():
            pairs = {column: (found[key][column], row[column]) for column in row}
            differing = {column: pair for column, pair in pairs.items() if not _same(*pair)}
            assert not differing, f"{name} {key}: (SQL, reference) {differing}"
            assert row.keys() == found[key].keys(), name
    assert_states_agree(s)
    assert_verified(s)
    return fold


def assert_states_agree(s: Session) -> None:
    """The aggregate that reads the past makes the same rows of the events as the fold that writes them."""
    kept = {row["task_id"]: row for row in s.rows("SELECT * FROM background_tasks")}
    told = s.rows(
        "SELECT (with_webhook_failures(x.state, %s)).* FROM (SELECT task_state(e ORDER BY e.version) AS state"
        " FROM events e WHERE e.stream_type = 'task' AND e.stream_id = ANY (%s) GROUP BY e.stream_id) x",
        s.head(),
        list(kept),
    )
    assert {row["task_id"]: row for row in told} == kept


def assert_verified(s: Session) -> None:
    """What `annals audit verify` compares holds, for every stream."""
    streams: dict[str, list[str]] = {}
    for row in s.rows("SELECT DISTINCT stream_type, stream_id FROM events"):
        streams.setdefault(row["stream_type"], []).append(row["stream_id"])
    with s.connection.transaction(force_rollback=True):
        for stream_type, ids in streams.items():
            assert s.value("SELECT fold_problem(%s, %s)", stream_type, ids) is None
            for model in fed_by(s, stream_type):
                assert s.rows("SELECT * FROM compare_shadow(%s, %s, %s)", model, stream_type, ids) == []


def fed_by(s: Session, stream_type: str) -> Sequence[str]:
    """Read models into which events of a stream type fold."""
    rows = s.rows(
        "SELECT table_name FROM table_kinds() WHERE kind = 'read model' AND to_regclass(table_name) NOTNULL"
        " AND (stream_type = %s OR stream_type = '*' AND %s <> ALL (headed_stream_types()))",
        stream_type,
        stream_type,
    )
    return [row["table_name"] for row in rows]


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, (int, float)):
        return abs(found - expected) <= 1e-5 * max(1.0, abs(expected))  # a real has six digits
    return bool(found == expected)
