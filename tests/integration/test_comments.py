"""Everything in the database says what it is: \\d+, \\df+, \\dv+ and \\di+ tell something everywhere."""

import re
from typing import Any

import asyncpg
import pytest

from service.resources import migrations_dir

Connection = asyncpg.Connection
OURS = "c.relnamespace = 'public'::regnamespace AND c.relname !~ 'yoyo'"
# What has no sentence, by kind. Indexes of constraints have the constraint's name, which is a fact.
SILENT = {
    "tables, views and sequences": f"""
        SELECT c.oid::regclass::text FROM pg_class c
        WHERE {OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND obj_description(c.oid, 'pg_class') IS NULL
    """,
    "columns": f"""
        SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE {OURS} AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
          AND col_description(c.oid, a.attnum) IS NULL
    """,
    "indexes": f"""
        SELECT c.oid::regclass::text FROM pg_class c
        WHERE {OURS} AND c.relkind = 'i' AND obj_description(c.oid, 'pg_class') IS NULL
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
    """,
    "functions and aggregates": """
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
    """,
    "triggers": f"""
        SELECT t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE {OURS} AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL
    """,
    "types": """
        SELECT t.oid::regtype::text FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typnamespace = 'public'::regnamespace AND t.typcategory <> 'A'
          AND (t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c') AND obj_description(t.oid, 'pg_type') IS NULL
    """,
}


@pytest.mark.parametrize("kind", SILENT)
async def test_nothing_is_without_a_sentence(db: "Connection[Any]", kind: str) -> None:
    assert [row[0] for row in await db.fetch(SILENT[kind])] == []


async def test_what_people_remember_is_there(db: "Connection[Any]") -> None:
    """The names that "Reading by psql" promises."""
    tables = ["events", "background_tasks", "task_attempts", "coverage_history"]
    for name in [*tables, "task_execution_logs", "queue_depth", "stuck_tasks", "audit_log"]:
        assert await db.fetchval("SELECT to_regclass($1) IS NOT NULL", name), name
    for name in ["enqueue_task", "cancel_task", "retry_task", "task_history", "stable_position"]:
        assert await db.fetchval("SELECT to_regproc($1) IS NOT NULL", name), name


async def test_the_first_line_of_a_file_is_its_objects_comment(db: "Connection[Any]") -> None:
    said = {
        "view": "SELECT obj_description('stuck_tasks'::regclass, 'pg_class')",
        "function": "SELECT obj_description('stable_position'::regproc, 'pg_proc')",
        "trigger": "SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger"
        " WHERE tgname = 'fence_append' AND tgrelid = 'public.events'::regclass",
        "aggregate": "SELECT obj_description(oid, 'pg_proc') FROM pg_proc WHERE proname = 'task_state'",
    }
    files = {
        "view": "views/stuck_tasks",
        "function": "functions/stable_position",
        "trigger": "functions/fence_append",
        "aggregate": "functions/task_state",
    }
    for kind, statement in said.items():  # one of each kind that files make
        first = (migrations_dir() / f"{files[kind]}.sql").read_text().splitlines()[0]
        assert f"-- {await db.fetchval(statement)}" == first


FILES = [path for folder in ("functions", "views") for path in (migrations_dir() / folder).glob("*.sql")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_line_is_a_whole_sentence_and_no_file_comments_its_object_again(path: Any) -> None:
    text = path.read_text()
    first = text.splitlines()[0]
    assert first.startswith("-- ") and first.endswith(".") and len(first) < 130
    assert not re.search(r"COMMENT ON (VIEW|FUNCTION|AGGREGATE|TRIGGER)", text)
