"""The SQL functions of coverage: what they refuse, what they append, and that their folds can be repeated."""

import asyncio
import json
import os
import re
import sys
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.coverage_world import head

Psql = asyncpg.Connection
FUNCTIONS = Path(__file__).resolve().parents[2] / "migrations" / "functions"
STRANGER = "00000000-0000-4000-8000-00000000dead"
ROOT, LEAF = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
NODES = [
    {"node_id": ROOT, "label": "Root", "canonical_path": ["Root"], "parents": []},
    {"node_id": LEAF, "label": "Leaf", "canonical_path": ["Root", "Leaf"], "parents": [ROOT]},
]
FACTS = {
    "measured_at": "2026-01-01T00:00:00Z",
    "overall_coverage": 46.67,
    "total_documents": 14,
    "total_chunks": 20,
    "version": "1.0.0",
}


@pytest.fixture
async def agent(db: Psql) -> uuid.UUID:
    await db.execute("SELECT import_taxonomy('1.0.0', $1)", NODES)
    found: uuid.UUID = await db.fetchval("SELECT agent_id FROM create_agent('A', $1)", [ROOT])
    return found


REFUSED: list[tuple[str, str, Any]] = [
    ("AN422", "SELECT create_agent('', $1)", [ROOT]),
    ("AN422", "SELECT create_agent(repeat('x', 256), $1)", [ROOT]),
    ("AN422", "SELECT create_agent(NULL, $1)", [ROOT]),
    ("AN422", "SELECT create_agent('A', $1)", []),
    ("AN422", "SELECT create_agent('A', $1)", [STRANGER]),
    ("AN422", "SELECT create_agent('A', $1, '9.9.9')", [ROOT]),
    ("AN422", "SELECT create_agent('A', $1, scope_description => repeat('x', 501))", [ROOT]),
    ("AN422", "SELECT create_agent('A', $1, retrieval_config => '[]')", [ROOT]),
    ("AN404", 'SELECT update_agent($1, \'{"name": "B"}\')', STRANGER),
    ("AN422", "SELECT update_agent($1, '{\"level\": 2}')", "agent"),
    ("AN422", "SELECT update_agent($1, '{\"name\": null}')", "agent"),
    ("AN422", 'SELECT update_agent($1, \'{"name": ""}\')', "agent"),
    ("AN422", "SELECT update_agent($1, '[]')", "agent"),
    ("AN422", "SELECT update_agent($1, '{\"features_config\": 3}')", "agent"),
    ("AN404", "SELECT set_agent_targets($1, '{}')", STRANGER),
    ("AN422", "SELECT set_agent_targets($1, '[]')", "agent"),
    ("AN422", f"SELECT set_agent_targets($1, '{{\"{STRANGER}\": 1}}')", "agent"),
    ("AN422", f"SELECT set_agent_targets($1, '{{\"{LEAF}\": 0}}')", "agent"),
    ("AN422", f'SELECT set_agent_targets($1, \'{{"{LEAF}": "3"}}\')', "agent"),
    ("AN404", "SELECT delete_agent($1)", STRANGER),
    ("AN404", "SELECT record_agent_query($1, 1, 1)", STRANGER),
    ("AN404", "SELECT measure_coverage($1, '{}', '{}', now())", STRANGER),
    ("AN422", "SELECT measure_coverage($1, '{}', '{}', now(), '{\"colour\": 1}')", "agent"),
    ("AN404", "SELECT enqueue_task('coverage_refresh', jsonb_build_object('agent_id', $1::uuid))", STRANGER),
    ("AN422", "SELECT enqueue_task('coverage_refresh', subject => 'agent:x')", None),
    ("AN422", f"SELECT enqueue_task('coverage_refresh', subject => 'agent:{STRANGER}')", None),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", {}),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [3]),
    ("AN422", "SELECT import_taxonomy('', $1)", NODES),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [NODES[0] | {"colour": "red"}]),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [{"canonical_path": ["x"]}]),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [{"label": "x", "canonical_path": []}]),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [{"label": "x", "canonical_path": [3]}]),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [NODES[0] | {"node_id": "x"}]),
    ("AN422", "SELECT import_taxonomy('1.0.0', $1)", [NODES[0] | {"parents": "x"}]),
    ("AN422", "SELECT import_taxonomy('2.0.0', $1)", [NODES[1]]),
    ("AN422", "SELECT import_taxonomy('2.0.0', $1)", [NODES[0], NODES[0] | {"label": "other"}]),
    ("AN422", "SELECT import_taxonomy('2.0.0', $1)", [NODES[0] | {"parents": [ROOT]}]),
    ("AN409", "SELECT import_taxonomy('1.0.0', $1)", [NODES[1] | {"parents": []}]),
    ("AN422", "SELECT import_documents($1)", {}),
    ("AN422", "SELECT import_documents($1)", [{"title": "T"}]),
    ("AN422", "SELECT import_documents($1)", [{"title": "", "text": "t"}]),
    ("AN422", "SELECT import_documents($1)", [{"title": "T", "text": "t", "colour": 1}]),
    ("AN422", "SELECT import_documents($1)", [{"title": "T", "text": "t", "doc_id": "x"}]),
    ("AN422", "SELECT import_documents($1)", [{"title": "T", "text": "t", "doc_id": ROOT}] * 2),
    ("AN422", "SELECT import_documents($1)", [{"title": "T", "text": "t", "taxonomy": [{"confidence": 1}]}]),
    (
        "AN422",
        "SELECT import_documents($1)",
        [{"title": "T", "text": "t", "taxonomy": [{"node_id": ROOT, "confidence": 2}]}],
    ),
    ("AN422", "SELECT import_documents($1)", [{"title": "T", "text": "t", "taxonomy": [{"node_id": ROOT}]}]),
    (
        "AN422",
        "SELECT import_documents($1)",
        [{"title": "T", "text": "t", "taxonomy": [{"node_id": STRANGER, "confidence": 1}]}],
    ),
]


def function_of(call: str) -> str:
    return call.removeprefix("SELECT ").split("(")[0]


@pytest.mark.parametrize("function", sorted({function_of(call) for _, call, _ in REFUSED}))
async def test_bad_input_is_refused_and_nothing_is_written(db: Psql, agent: uuid.UUID, function: str) -> None:
    before = await counts(db)
    for state, call, argument in REFUSED:
        if function_of(call) == function:
            given = [] if argument is None else [agent if argument == "agent" else argument]
            with pytest.raises(asyncpg.PostgresError) as refused:
                async with db.transaction():
                    await db.fetch(call, *given)
            assert refused.value.sqlstate == state, (call, argument, refused.value)
            assert await counts(db) == before


async def counts(db: Psql) -> list[int]:
    tables = (
        "taxonomies",
        "taxonomy_nodes",
        "taxonomy_edges",
        "documents",
        "chunks",
        "document_taxonomy",
        "agents",
    )
    return [await head(db), *[await db.fetchval(f"SELECT count(*) FROM {table}") for table in tables]]


async def test_several_events_of_one_agent_in_one_statement_fold_in_order(db: Psql, agent: uuid.UUID) -> None:
    drafts = [
        ("agent.updated", {"name": "B"}),
        ("agent.queried", {"latency_ms": 10, "results": 2}),
        ("agent.updated", {"name": "C", "scope_description": None}),
        ("agent.queried", {"latency_ms": 30, "results": 0}),
        ("coverage.measured", FACTS),
        ("agent.targets_set", {"targets": {LEAF: 3}}),
    ]
    await append(db, agent, drafts)
    row = await db.fetchrow("SELECT * FROM agents WHERE agent_id = $1", agent)
    assert (row["version"], row["name"], row["targets"]) == (7, "C", {LEAF: 3})
    assert (row["total_queries"], row["successful_queries"], row["avg_response_time_ms"]) == (2, 1, 20.0)
    assert str(row["coverage_percent"]) == "46.67"
    history = await db.fetch("SELECT history_id, total_documents FROM coverage_history")
    assert [tuple(row) for row in history] == [(await head(db) - 1, 14)]


async def append(db: Psql, agent: uuid.UUID, drafts: list[tuple[str, dict[str, Any]]]) -> None:
    await db.execute(
        """SELECT append_events(ARRAY(
               SELECT ROW('agent', $1, d ->> 0, d -> 1, NULL, NULL, NULL, NULL)::event_draft
               FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS g (d, n) ORDER BY n))""",
        *(str(agent), drafts),
    )


@pytest.mark.parametrize("event", ["agent.promoted", "coverage.estimated"])
async def test_an_event_that_the_fold_was_not_taught_stops_the_append(
    db: Psql, agent: uuid.UUID, event: str
) -> None:
    with pytest.raises(asyncpg.PostgresError, match=f"not taught.*{event}"):
        async with db.transaction():
            await append(db, agent, [(event, {})])


async def test_verify_finds_agents_and_history_as_the_log_says(database: str) -> None:
    """Also after an agent is gone with its tasks, and after a row was changed behind the log's back."""
    db = await asyncpg.connect(database)
    try:
        await db.execute("SELECT import_taxonomy('1.0.0', $1)", json.dumps(NODES))
        agents = [await db.fetchval("SELECT agent_id FROM create_agent('A', $1)", [ROOT]) for _ in range(3)]
        for agent in agents:
            await db.execute("SELECT measure_coverage($1, $2, '{}', now())", agent, json.dumps(FACTS))
            await db.execute("SELECT record_agent_query($1, 12.5, 3)", agent)
            await db.execute(
                "SELECT enqueue_task('coverage_refresh', jsonb_build_object('agent_id', $1::uuid))", agent
            )
        await db.execute("SELECT delete_agent($1)", agents[0])
        assert await audit(database) == 0
        await db.execute("UPDATE agents SET coverage_percent = 99 WHERE agent_id = $1", agents[1])
        assert await audit(database) != 0
    finally:
        await db.close()


async def audit(database: str) -> int:
    """Exit code of the command."""
    environment = dict(os.environ) | {"DATABASE_URL": database, "PYTHONPATH": str(FUNCTIONS.parents[1])}
    command = [sys.executable, "-m", "service", "audit", "verify", "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_every_table_and_column_says_what_it_is(db: Psql) -> None:
    silent = await db.fetch(
        """SELECT c.relname, a.attname FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname !~ 'yoyo'
             AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"""
    )
    assert silent == []


HEADERS = {
    path.stem: re.findall(r"^--   (SELECT .*?;)", path.read_text(), re.M | re.S)[0].replace("\n--", "\n")
    for path in sorted(FUNCTIONS.glob("*.sql"))
    if re.search(r"agent|coverage|taxonomy|documents", path.stem) and not path.stem.startswith("project_")
}


@pytest.mark.parametrize("name", HEADERS)
async def test_the_call_in_the_header_of_a_function_can_be_pasted(
    db: Psql, agent: uuid.UUID, name: str
) -> None:
    """What it names may be missing; what it says must be understood."""
    states = []
    try:
        await db.fetch(HEADERS[name])
    except asyncpg.PostgresError as error:
        states.append(error.sqlstate)
    assert set(states) <= {"AN404", "AN422"}, HEADERS[name]
