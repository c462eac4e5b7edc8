"""`annals audit verify`: nothing to find in what the service wrote, and every way to tamper is named."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from service.audit.findings import Finding
from service.audit.reader import Chunk
from service.audit.rebuild import rebuild
from service.audit.verify import start, verify
from service.errors import NotFound
from service.settings import load
from service.store.pool import Database

AGENT = "5f3c0c5e-0000-4000-8000-000000000001"
SMALL = Chunk(streams=2, events=3)


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(load({}).database, database) as db:
        yield db


@pytest.fixture
async def lived(db: Database) -> list[str]:
    """Five tasks: completed, retried, cancelled, snoozed, pending; a worker, a queue, a key."""
    for statement in (
        """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
        "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)",
        "SELECT enqueue_task('noop', task_id => 't-' || n) FROM generate_series(1, 5) n",
        "SELECT claim_tasks('w-1', '{default}', '{noop}', 4)",
        "SELECT complete_task('t-1', 2, '{\"n\": 1}'), fail_task('t-2', 2, 'no'), cancel_task('t-3')",
        "SELECT snooze_task('t-4', 2, 60), cancel_task('t-4'), retry_task('t-4')",
        "SELECT pause_queue('default', 'deploy'), create_key('ci', sha256('secret'), '{read}')",
        "SELECT renew_worker('w-1')",
    ):
        await db.fetch(statement)
    return [f"t-{n}" for n in range(1, 6)]


async def findings_of(db: Database, *names: str, chunk: Chunk = SMALL) -> list[Finding]:
    return [finding async for finding in verify(db, await start(db, names, chunk))]


async def mend(db: Database, name: str, chunk: Chunk = SMALL) -> int:
    return len([finding async for finding in rebuild(db, await start(db, [name], chunk))])


async def test_what_the_service_wrote_holds(db: Database, lived: list[str]) -> None:
    run = await start(db, (), SMALL)
    assert [finding async for finding in verify(db, run)] == []
    assert run.streams == len(lived) + 3
    assert run.events == await db.fetchval("SELECT count(*) FROM events")


async def test_a_verify_leaves_nothing_behind(db: Database, lived: list[str]) -> None:
    head = await db.fetchval("SELECT max(position) FROM events")
    size = "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relnamespace = 'shadow'::regnamespace"
    before = await db.fetchval(size)
    for _ in range(3):
        await findings_of(db)
    assert await db.fetchval("SELECT max(position) FROM events") == head
    assert await db.fetchval(size) == before


async def test_it_leaves_nothing_of_what_reaches_into_a_stream(db: Database, lived: list[str]) -> None:
    await db.fetch("SELECT apply_retention('attempts', interval '0', 100)")
    size = "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relnamespace = 'shadow'::regnamespace"
    before = await db.fetchval(size)
    assert await findings_of(db, "task_attempts") == []
    assert await db.fetchval(size) == before


async def test_only_the_tables_that_a_fold_fills_get_new_files(db: Database) -> None:
    files = """SELECT relname, pg_relation_filenode(oid) AS file FROM pg_class
               WHERE relnamespace = 'shadow'::regnamespace AND relkind = 'r'"""
    async with db.transaction() as connection:
        before = {row["relname"]: row["file"] for row in await connection.fetch(files)}
        await connection.fetch("SELECT ready_shadow('{task}')")
        after = {row["relname"]: row["file"] for row in await connection.fetch(files)}
    assert {name for name in before if before[name] != after[name]} == {
        "events",
        "background_tasks",
        "task_attempts",
    }


async def test_what_someone_left_in_the_shadow_is_in_nobodys_way(db: Database, lived: list[str]) -> None:
    await db.fetch("SELECT fold_streams('worker', '{w-1}')")
    await db.fetch("UPDATE shadow.workers SET worker_id = 'w-2'")
    assert await findings_of(db) == []


async def test_a_sign_of_life_is_no_finding_but_any_other_column_is(db: Database, lived: list[str]) -> None:
    await db.fetch("UPDATE workers SET seen_at = seen_at + interval '1 hour'")
    assert await findings_of(db, "workers") == []
    await db.fetch("UPDATE workers SET pid = 2")
    [finding] = await findings_of(db, "workers")
    assert (finding.kind, finding.stream, finding.columns, finding.unexplained) == (
        "differs",
        "worker/w-1",
        ("pid",),
        ("pid",),
    )


async def test_a_value_that_no_event_gave_is_named_by_its_column(db: Database, lived: list[str]) -> None:
    await db.fetch("UPDATE background_tasks SET result = '{\"n\": 2}', priority = 1 WHERE task_id = 't-1'")
    [finding] = await findings_of(db)
    assert (finding.kind, finding.read_model, finding.stream) == ("differs", "background_tasks", "task/t-1")
    assert finding.equals_version is None
    assert finding.unexplained == ("priority", "result")
    assert finding.explanation == (
        "event 1 (task.enqueued, position 2) says priority 5; "
        'event 3 (task.completed, position 11) says result {"n": 1}; '
        'background_tasks says priority 1, result {"n": 2} since position 11; '
        "no version explains priority, result"
    )


async def test_a_row_that_missed_its_last_events_tells_which_it_saw(db: Database, lived: list[str]) -> None:
    """What a fold that was switched off leaves behind: an old state, whole."""
    await db.fetch("ALTER TABLE events DISABLE TRIGGER project_tasks")
    await db.fetch("SELECT cancel_task('t-5')")
    await db.fetch("ALTER TABLE events ENABLE ALWAYS TRIGGER project_tasks")
    [finding] = await findings_of(db)
    assert (finding.stream, finding.equals_version, finding.unexplained) == ("task/t-5", 1, ())
    assert "as after event 1 (task.enqueued, position 6), and does not know event 2 (task.cancelled" in (
        finding.explanation
    )


async def test_a_deleted_row_is_missing(db: Database, lived: list[str]) -> None:
    await db.fetch("DELETE FROM task_attempts WHERE task_id = 't-1'")
    [finding] = await findings_of(db)
    assert (finding.kind, finding.read_model) == ("missing", "task_attempts")
    assert finding.row_key == {"task_id": "t-1", "attempt": 1}


async def test_a_row_that_its_stream_does_not_know_is_surplus(db: Database, lived: list[str]) -> None:
    await db.fetch(
        "INSERT INTO task_attempts SELECT (jsonb_populate_record(a, '{\"attempt\": 9}')).*"
        " FROM task_attempts a WHERE task_id = 't-1'"
    )
    [finding] = await findings_of(db)
    assert (finding.kind, finding.row_key) == ("surplus", {"task_id": "t-1", "attempt": 9})


@pytest.mark.parametrize(
    ("model", "insert"),
    [
        ("queues", "INSERT INTO queues VALUES ('ghost', true, NULL, now())"),
        ("api_keys", "INSERT INTO api_keys VALUES ('ghost', '{admin}', now())"),
        ("stream_heads", "INSERT INTO stream_heads VALUES ('thing', 'ghost', 3)"),
        (
            "background_tasks",
            'INSERT INTO background_tasks SELECT (jsonb_populate_record(t, \'{"task_id": "ghost"}\')).*'
            " FROM background_tasks t WHERE task_id = 't-1'",
        ),
    ],
)
async def test_a_row_without_a_stream_is_a_stray(
    db: Database, lived: list[str], model: str, insert: str
) -> None:
    await db.fetch(insert)
    [finding] = await findings_of(db)
    assert (finding.kind, finding.read_model) == ("stray", model)
    assert finding.explanation == f"{model} has the row, and {finding.stream} has no event"
    assert finding.stream.endswith("/ghost")
    assert await mend(db, model) == 1
    assert await findings_of(db) == []


async def tampered(db: Database, change: str) -> None:
    """Change the log itself, as only who owns the table can."""
    await db.fetch("ALTER TABLE events DISABLE TRIGGER refuse_change")
    await db.fetch(change)


async def test_a_hole_in_a_stream_is_a_finding_of_the_log(db: Database, lived: list[str]) -> None:
    await tampered(db, "DELETE FROM events WHERE stream_id = 't-1' AND version = 2")
    [hole] = [finding for finding in await findings_of(db) if finding.kind == "hole"]
    assert (hole.read_model, hole.stream) == ("events", "task/t-1")
    assert hole.explanation == "event 2 is missing: event 3 (task.completed, position 11) comes in its place"


async def test_versions_out_of_the_order_of_positions_are_a_finding(db: Database, lived: list[str]) -> None:
    await tampered(
        db,
        "UPDATE events e SET position = 1000000 - e.position WHERE e.stream_id = 't-1' AND e.version > 1",
    )
    assert [f.stream for f in await findings_of(db) if f.kind == "hole"] == ["task/t-1"]


async def test_a_stream_that_cannot_be_folded_hides_no_other(db: Database, lived: list[str]) -> None:
    await tampered(
        db, "UPDATE events SET data = data || '{\"priority\": 99}' WHERE stream_id = 't-2' AND version = 1"
    )
    await db.fetch("UPDATE background_tasks SET priority = 1 WHERE task_id = 't-1'")
    found = await findings_of(db, chunk=Chunk())
    assert [(finding.kind, finding.stream) for finding in found] == [
        ("differs", "task/t-1"),
        ("unfoldable", "task/t-2"),
    ]
    assert "priority_is_1_to_10" in found[1].explanation


async def test_the_end_of_an_agent_is_folded_into_its_tasks(db: Database, lived: list[str]) -> None:
    node = "00000000-0000-4000-8000-00000000000a"
    await db.fetch(
        "SELECT import_taxonomy('1', $1)", [{"node_id": node, "label": "A", "canonical_path": ["A"]}]
    )
    agent_id = await db.fetchval("SELECT agent_id FROM create_agent('a', ARRAY[$1::uuid], '1')", node)
    await db.fetch("SELECT enqueue_task('coverage_refresh', $1)", {"agent_id": str(agent_id)})
    await db.fetch("SELECT claim_tasks('w-1', '{coverage}', '{coverage_refresh}', 1)")
    await db.fetch("SELECT enqueue_task('coverage_refresh', $1)", {"agent_id": str(agent_id)})
    assert await findings_of(db) == []
    await db.fetch("SELECT delete_agent($1)", agent_id)
    assert await db.fetchval("SELECT count(*) FROM background_tasks WHERE agent_id = $1", agent_id) == 0
    assert await findings_of(db) == []


async def test_only_the_read_models_that_are_asked_for_are_looked_at(db: Database, lived: list[str]) -> None:
    await db.fetch("DELETE FROM queues")
    await db.fetch("DELETE FROM task_attempts")
    assert {finding.read_model for finding in await findings_of(db, "queues")} == {"queues"}
    assert len(await findings_of(db)) > 1


async def test_an_unknown_read_model_is_refused_with_the_known_ones(db: Database) -> None:
    with pytest.raises(NotFound, match="Read model not found: nope") as caught:
        await start(db, ["nope"])
    assert "background_tasks" in caught.value.hint


async def test_a_verify_stops_when_it_is_told_to(db: Database, lived: list[str]) -> None:
    run = await start(db, (), SMALL)
    assert [finding async for finding in verify(db, run, run.stop.set)] == []
    assert run.streams == 1


async def test_it_is_exact_while_others_write(db: Database, lived: list[str]) -> None:
    """Each chunk is one snapshot, in which log and rows agree whoever writes."""
    over = asyncio.Event()

    async def write() -> int:
        rounds = 0
        while not over.is_set():
            await db.fetch("SELECT resume_queue('default'), enqueue_task('noop')")
            for row in await db.fetch(
                "SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', 3)"
            ):
                await db.fetch("SELECT complete_task($1, $2)", row["task_id"], row["lease"])
            await db.fetch("SELECT pause_queue('default')")
            rounds += 1
        return rounds

    writers = [asyncio.create_task(write()) for _ in range(3)]
    for _ in range(4):
        assert await findings_of(db, chunk=Chunk()) == []
        assert await mend(db, "background_tasks", Chunk()) == 0
    over.set()
    assert min(await asyncio.gather(*writers)) > 0
    assert await findings_of(db, chunk=Chunk()) == []


Tamper = Callable[[Database], Awaitable[Any]]


@pytest.mark.parametrize(
    ("model", "change", "rows"),
    [
        ("background_tasks", "UPDATE background_tasks SET status = 'cancelled' WHERE task_id = 't-1'", 1),
        ("background_tasks", "DELETE FROM background_tasks", 5),
        ("task_attempts", "UPDATE task_attempts SET worker_id = 'else'", 3),
        ("workers", "UPDATE workers SET pid = 2, seen_at = '2026-01-01Z'", 1),
        ("queues", "DELETE FROM queues", 1),
        ("api_keys", "UPDATE api_keys SET scopes = '{admin}'", 1),
        ("stream_heads", "UPDATE stream_heads SET version = 9", 3),
    ],
)
async def test_a_rebuild_mends_what_differs_and_says_so(
    db: Database, lived: list[str], model: str, change: str, rows: int
) -> None:
    await db.fetch(change)
    head = await db.fetchval("SELECT max(position) FROM events")
    found = await findings_of(db)
    assert len(found) == rows and {finding.read_model for finding in found} == {model}
    assert await mend(db, model) == rows
    assert await findings_of(db) == []
    repaired = await db.fetch("SELECT * FROM events WHERE position > $1", head)
    role = await db.fetchval("SELECT session_user::text")
    assert {(event["type"], event["actor"]) for event in repaired} == {
        ("projection.repaired", f"psql:{role}")
    }
    assert sum(event["data"]["rows"] for event in repaired) == rows
    assert {event["data"]["read_model"] for event in repaired} == {model}
    if model == "workers":
        assert str(await db.fetchval("SELECT seen_at::date FROM workers")) == "2026-01-01", "free to change"


async def test_a_rebuild_of_what_is_right_writes_nothing(db: Database, lived: list[str]) -> None:
    head = await db.fetchval("SELECT max(position) FROM events")
    rows = "SELECT array_agg(ctid ORDER BY ctid) FROM background_tasks"
    before = await db.fetchval(rows)
    assert await mend(db, "background_tasks") == 0
    assert await db.fetchval("SELECT max(position) FROM events") == head
    assert await db.fetchval(rows) == before


async def test_an_interrupted_rebuild_has_recorded_what_it_did(db: Database, lived: list[str]) -> None:
    await db.fetch("DELETE FROM background_tasks")
    run = await start(db, ["background_tasks"], SMALL)
    async for finding in rebuild(db, run):
        assert finding.row_key == {"task_id": "t-1"}, "the first chunk holds one stream"
        run.stop.set()
    repaired = await db.fetch("SELECT data FROM events WHERE type = 'projection.repaired'")
    assert [event["data"]["rows"] for event in repaired] == [1]
    assert await mend(db, "background_tasks") == 4
