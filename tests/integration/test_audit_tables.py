"""The one list of what each table is, held against the schema and the README."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import asyncpg

README = Path(__file__).resolve().parents[2] / "README.md"
Connection = asyncpg.Connection
# The tables of the migration tool are not ours.
TABLES = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '^_?yoyo_'
"""
SHAPES = """
    SELECT a.attrelid::regclass::text AS name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


async def kinds(db: "Connection[Any]") -> dict[str, Any]:
    return {row["table_name"]: row for row in await db.fetch("SELECT * FROM table_kinds()")}


async def test_every_table_is_on_the_list_and_nothing_else(db: "Connection[Any]") -> None:
    tables = {row["relname"] for row in await db.fetch(TABLES)}
    assert tables == set(await kinds(db)), "a new table belongs into functions/table_kinds.sql and the README"


async def test_the_readme_names_every_table_by_its_kind(db: "Connection[Any]") -> None:
    section = README.read_text().split("### What changes without an event")[1].split("\n#")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    named = {name: meaning for names, meaning in rows for name in re.findall(r"`([^`]+)`", names)}
    words = {"read model": "read models", "content": "content", "working state": "without an event"}
    for table, row in (await kinds(db)).items():
        if row["kind"] == "log":
            continue
        meanings = [meaning for name, meaning in named.items() if fnmatch(table, name)]
        assert any(words[row["kind"]] in meaning for meaning in meanings), f"README: {table} is {row['kind']}"
        for column in row["free_columns"]:
            assert f"{table}.{column}" in named


async def test_the_shadow_has_the_shape_of_log_and_read_models(db: "Connection[Any]") -> None:
    wanted = {name for name, row in (await kinds(db)).items() if row["kind"] in ("log", "read model")}
    real = {tuple(row) for row in await db.fetch(SHAPES, "public") if row["name"] in wanted}
    shadow = {
        (row["name"].removeprefix("shadow."), *tuple(row)[1:]) for row in await db.fetch(SHAPES, "shadow")
    }
    assert shadow == real


async def test_the_shadow_folds_by_the_same_triggers_and_has_no_other(db: "Connection[Any]") -> None:
    triggers = "SELECT tgname, tgfoid FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal"
    real = {tuple(row) for row in await db.fetch(f"{triggers} AND tgnewtable NOTNULL", "public.events")}
    assert real
    assert {tuple(row) for row in await db.fetch(triggers, "shadow.events")} == real


async def test_every_read_model_is_folded_by_a_projection(db: "Connection[Any]") -> None:
    """A table on the list as a read model that no projection writes would verify as empty."""
    bodies = " ".join(
        row["prosrc"] for row in await db.fetch("SELECT prosrc FROM pg_proc WHERE proname ~ '^project_'")
    )
    for table, row in (await kinds(db)).items():
        if row["kind"] == "read model":
            assert f"INSERT INTO {table} " in bodies, table
