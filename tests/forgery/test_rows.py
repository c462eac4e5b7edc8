"""Every forged row of every read model is found, named by row and column, and mended by a rebuild.

Each column of each read model is forged in a row of its own; rows are added, removed, and moved to another
key. One verify looks at all of it, a rebuild of each read model replaces what was found, and then all holds.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from service.audit.findings import Finding
from tests.forgery.victims import Lives, agent_id, rebuilt, verified

# Another value of the same type, whatever the column holds.
OTHERWISE: Mapping[str, str] = {
    "bigint": "coalesce({0}, 0) + 7",
    "integer": "coalesce({0}, 0) + 7",
    "smallint": "coalesce({0}, 0) + 7",
    "real": "coalesce({0}, 0) + 1.5",
    "double precision": "coalesce({0}, 0) + 1.5",
    "numeric(5,2)": "coalesce({0}, 0) + 1.5",
    "text": "coalesce({0}, '') || 'x'",
    "boolean": "NOT {0}",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 hour'",
    "uuid": "gen_random_uuid()",
    "jsonb": """'{{"forged": true}}'""",
    "text[]": "array_append({0}, 'x')",
    "uuid[]": "array_append({0}, gen_random_uuid())",
}
COLUMNS = """
    SELECT k.table_name, a.attname, format_type(a.atttypid, a.atttypmod),
           EXISTS (SELECT FROM pg_index i
                   WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
    FROM table_kinds() k JOIN pg_attribute a ON a.attrelid = to_regclass(k.table_name)
    WHERE k.kind = 'read model' AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (k.free_columns)
    ORDER BY k.table_name, a.attnum
"""
UNLOCKED = """
    SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', k.table_name, c.conname)
    FROM table_kinds() k JOIN pg_constraint c ON c.conrelid = to_regclass(k.table_name)
    WHERE k.kind = 'read model' AND c.contype = 'c'
"""
REPAIRS = """
    SELECT data ->> 'read_model', sum((data ->> 'rows')::integer) FROM events
    WHERE type = 'projection.repaired' GROUP BY 1
"""
# It has a row for each kind of rows, and no more victims than those: tests/integration/test_retention.py.
ELSEWHERE = {"retention_totals"}
# The column that holds the stream's id.
KEYS = {
    "agents": "agent_id",
    "api_keys": "name",
    "background_tasks": "task_id",
    "coverage_history": "agent_id",
    "parked_events": "follower",
    "queues": "queue",
    "schedules": "name",
    "stream_heads": "stream_id",
    "task_attempts": "task_id",
    "webhook_deliveries": "delivery_id",
    "webhook_endpoints": "endpoint",
    "workers": "worker_id",
}


@dataclass(frozen=True)
class Column:
    """A column of a read model, as the table's description has it."""

    table: str
    name: str
    type: str
    is_key: bool

    @property
    def victim(self) -> str:
        """Who has the row in which it is forged."""
        return f"{self.table}-{self.name}"


@dataclass(frozen=True)
class Forged:
    """What a verify found after all forgeries, what the rebuilds replaced then, and what was left."""

    columns: Sequence[Column]
    found: Sequence[Finding]
    replaced: Mapping[str, Sequence[Finding]]
    left: Sequence[Finding]
    repairs: Mapping[str, int]

    def of(self, read_model: str, victim: str) -> list[Finding]:
        """The findings in one victim's rows, and in those that were made of them."""
        names = (victim, f"{victim}x")
        ids = {*names, *map(agent_id, names)}
        return [f for f in self.found if f.read_model == read_model and f.stream.split("/", 1)[1] in ids]


def first_row(table: str, victim: str) -> str:
    """A condition for one row of a victim."""
    stream_id = agent_id(victim) if KEYS[table] == "agent_id" else victim
    return f"ctid = (SELECT x.ctid FROM {table} x WHERE x.{KEYS[table]} = '{stream_id}' ORDER BY x LIMIT 1)"


def forge_column(lives: Lives, column: Column) -> None:
    value = OTHERWISE[column.type].format(column.name)
    if column.name == KEYS[column.table] == "agent_id":
        value = f"'{agent_id(column.victim + 'x')}'"
    lives.run(
        f"UPDATE {column.table} SET {column.name} = {value} WHERE {first_row(column.table, column.victim)}"
    )


def forge_rows(lives: Lives, table: str) -> None:
    """Take a row away, and add a copy of another under a key that has no stream."""
    lives.run(f"DELETE FROM {table} WHERE {first_row(table, f'{table}-row_removed')}")
    victim = f"{table}-row_added"
    new = {KEYS[table]: agent_id(f"{victim}x") if KEYS[table] == "agent_id" else f"{victim}x"}
    new |= {"history_id": -1} if table == "coverage_history" else {}
    copy = f"SELECT (jsonb_populate_record(t, %s)).* FROM {table} t WHERE {first_row(table, victim)}"
    lives.run(f"INSERT INTO {table} {copy}", json.dumps(new))


@pytest.fixture(scope="module")
def forged(module_database: str) -> Iterator[Forged]:
    lives = Lives(module_database)
    columns = [Column(*row) for row in lives.run(COLUMNS) if row[0] in KEYS]
    victims = [column.victim for column in columns]
    victims += [f"{table}-{what}" for table in KEYS for what in ("row_added", "row_removed")]
    with_task = [one for one in victims if one.startswith(("background_tasks", "task_attempts"))]
    lives.others(["w", *(one for one in victims if one not in with_task)])
    lives.tasks(with_task)
    for (statement,) in lives.run(UNLOCKED):
        lives.run(statement)
    assert verified(module_database) == []
    for column in columns:
        forge_column(lives, column)
    for table in KEYS:
        forge_rows(lives, table)
    found = verified(module_database)
    replaced = {table: rebuilt(module_database, table) for table in KEYS}
    yield Forged(columns, found, replaced, verified(module_database), dict(lives.run(REPAIRS)))
    lives.close()


def test_every_read_model_has_victims(module_database: str) -> None:
    lives = Lives(module_database)
    tables = {row[0] for row in lives.run(COLUMNS)}
    lives.close()
    assert tables - ELSEWHERE == set(KEYS), "a new read model needs a life in victims.py, and its key here"


@pytest.mark.parametrize("table", KEYS)
def test_each_changed_column_is_found_and_named(forged: Forged, table: str) -> None:
    for column in (one for one in forged.columns if one.table == table):
        findings = forged.of(table, column.victim)
        if column.is_key or column.name == KEYS[table]:
            kinds = sorted(finding.kind for finding in findings)
            assert kinds in (["missing", "stray"], ["missing", "surplus"]), column
        else:
            [finding] = findings
            assert (finding.kind, finding.columns) == ("differs", (column.name,)), column
            [claim] = finding.claims
            assert claim.column == column.name and claim.row != claim.log and claim.type, column
            assert table in finding.explanation and "event " in finding.explanation, column


@pytest.mark.parametrize("table", KEYS)
def test_an_added_and_a_removed_row_are_found_and_named(forged: Forged, table: str) -> None:
    [added] = forged.of(table, f"{table}-row_added")
    assert added.kind == "stray" and added.explanation.startswith(f"{table} has the row, and ")
    [removed] = forged.of(table, f"{table}-row_removed")
    assert removed.kind == "missing" and removed.row_key
    assert removed.explanation.startswith("event ")
    assert removed.explanation.endswith(f" makes the row; {table} has none")


def test_nothing_else_is_found(forged: Forged) -> None:
    keys = sum(column.is_key or column.name == KEYS[column.table] for column in forged.columns)
    assert len(forged.found) == len(forged.columns) + keys + 2 * len(KEYS)


@pytest.mark.parametrize("table", KEYS)
def test_a_rebuild_replaces_what_was_found_and_says_so(forged: Forged, table: str) -> None:
    # A row under another stream's id is missing there and a stray here, and is replaced once.
    def keys(findings: Sequence[Finding]) -> set[str]:
        return {str(finding.row_key) for finding in findings if finding.read_model == table}

    assert keys(forged.replaced[table]) == keys(forged.found)
    assert forged.repairs[table] == len(forged.replaced[table])
    assert all(table in finding.explanation for finding in forged.replaced[table])


def test_after_the_rebuilds_everything_holds(forged: Forged) -> None:
    assert forged.left == []
