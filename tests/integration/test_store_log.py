"""The log, the fleet, the keys and the pool through the store."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.errors import Conflict, DatabaseUnavailable, Invalid, NotFound
from service.model.events import Event
from service.settings import load
from service.store import log as log_module
from service.store.fleet import FleetStore
from service.store.keys import KeyStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.queries import load as load_queries
from service.store.tasks import TaskStore
from service.store.wire import Json, encode

ACTOR = "psql:tests"
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


@pytest.fixture
async def pool(database: str):
    async with await Database.open(load().database, database) as opened:
        await FleetStore(opened).publish_task_types([{"task_type": "noop"}])
        yield opened


@pytest.fixture
def log(pool: Database) -> LogReader:
    return LogReader(pool)


async def enqueue(pool: Database, *names: str) -> None:
    tasks = [{"task_type": "noop", "task_id": name} for name in names]
    await TaskStore(pool).enqueue(tasks, actor=ACTOR, correlation_id="c-1", trace="t-1")


async def test_events_come_in_order_with_all_their_fields(pool: Database, log: LogReader) -> None:
    await enqueue(pool, "task-a", "task-b")
    first, second = await log.events_after(0)
    assert (first.stream_type, first.stream_id, first.version, first.type) == (
        "task",
        "task-a",
        1,
        "task.enqueued",
    )
    assert (first.actor, first.correlation_id, first.trace, first.causation_id) == (ACTOR, "c-1", "t-1", None)
    assert first.data["params"] == {} and first.recorded_at.tzinfo is not None
    assert await log.events_after(first.position) == [second]
    assert await log.events_after(0, 1) == [first] and await log.event(first.position) == first
    assert await log.head() == await log.stable_position() == second.position
    assert await log.event(second.position + 1) is None


async def test_an_empty_log_has_an_epoch_and_a_head_of_zero(log: LogReader) -> None:
    assert await log.head() == 0 and len(await log.epoch()) == 36


async def test_the_columns_of_events_are_the_fields_of_an_event(pool: Database) -> None:
    async with pool.acquire() as connection:
        for name in ("events_after", "events_between", "stream", "event"):
            statement = await connection.prepare(load_queries("service.store")[name])
            assert tuple(column.name for column in statement.get_attributes()) == Event._fields, name


async def test_a_stream_is_read_by_version(pool: Database, log: LogReader) -> None:
    await enqueue(pool, "task-a", "task-b")
    await TaskStore(pool).cancel(["task-a"], actor=ACTOR)
    assert [event.type for event in await log.stream("task", "task-a")] == ["task.enqueued", "task.cancelled"]
    assert [event.version for event in await log.stream("task", "task-a", after_version=1)] == [2]
    assert await log.stream("task", "task-none") == []


async def test_what_has_not_committed_holds_the_settled_end_but_no_events_are_skipped(
    pool: Database, log: LogReader
) -> None:
    await enqueue(pool, "task-first")  # makes the lane, whose row the others would wait for
    start = await log.head()
    async with pool.transaction() as open_one:
        await open_one.fetch("SELECT enqueue_task('noop', task_id => 'task-late', ring => false)")
        await enqueue(pool, "task-early")
        assert await log.events_after(start) == [] and (await log.search(start)).events == []
        assert await log.head() > await log.stable_position()
    assert [event.stream_id for event in await log.events_after(start)] == ["task-late", "task-early"]


async def test_a_search_goes_on_from_where_it_has_come_to(
    pool: Database, log: LogReader, monkeypatch
) -> None:
    monkeypatch.setattr(log_module, "STRETCH", 3)
    await enqueue(pool, *(f"task-{n}" for n in range(7)))
    await TaskStore(pool).cancel(["task-6"], actor=ACTOR)
    position, seen, calls = 0, [], 0
    while True:
        found = await log.search(position, 2, types=["task.cancelled"])
        position, calls = found.position, calls + 1
        seen += [event.stream_id for event in found.events]
        if position == found.settled:
            break
    assert seen == ["task-6"] and calls == 3


async def test_a_search_that_fills_its_limit_stops_at_the_last_event(pool: Database, log: LogReader) -> None:
    await enqueue(pool, "task-a", "task-b", "task-c")
    found = await log.search(0, 2, stream_type="task")
    assert found.position == found.events[-1].position < found.settled
    (only,) = (await log.search(0, 2, stream_type="task", stream_id="task-c")).events
    assert only.stream_id == "task-c"


async def test_the_catalogue_shows_types_and_who_serves_them(pool: Database) -> None:
    fleet = FleetStore(pool)
    assert (
        await fleet.publish_task_types(
            [{"task_type": "noop", "code_version": "2", "backoff": {"kind": "none"}}]
        )
        == 1
    )
    (noop,) = [each for each in await fleet.task_types() if each.task_type == "noop"]
    assert (noop.code_version, noop.other_versions, noop.backoff, noop.served) == (
        "2",
        [""],
        {"kind": "none"},
        False,
    )
    await fleet.start_worker("w-1", host="h", pid=1, queues=["default"], task_types=["noop"], concurrency=3)
    assert "noop" in [each.task_type for each in await fleet.task_types() if each.served]
    await fleet.stop_worker("w-1")
    await fleet.stop_worker("w-1")
    assert await fleet.workers(live_only=True) == []
    (gone,) = await fleet.workers()
    assert (gone.status, gone.reason, gone.running) == ("stopped", "shutdown", 0)


async def test_queues_show_their_depth_and_whether_they_are_paused(pool: Database) -> None:
    fleet = FleetStore(pool)
    await enqueue(pool, "task-a", "task-b")
    assert await fleet.pause_queue("default", "deploy", actor=ACTOR) is not None
    assert await fleet.pause_queue("default", actor=ACTOR) is None
    depths = {(each.queue, each.task_class): each for each in await fleet.queues()}
    depth = depths["default", "medium"]
    assert (
        depths["default", "high"].ready == 0
    )  # the lanes of a published type are there before its first task
    assert (depth.queue, depth.task_class, depth.paused, depth.ready, depth.running) == (
        "default",
        "medium",
        True,
        2,
        0,
    )
    assert (await TaskStore(pool).claim("w-1", ["default"], ["noop"], 1)).tasks == []
    assert await fleet.resume_queue("default", actor=ACTOR) is not None
    assert await fleet.resume_queue("default", actor=ACTOR) is None
    with pytest.raises(Invalid, match="queue name"):
        await fleet.pause_queue("no such", actor=ACTOR)


async def test_a_key_is_found_by_its_hash_until_it_is_revoked(pool: Database) -> None:
    keys, digest = KeyStore(pool), hashlib.sha256(b"secret").digest()
    now = datetime.now(UTC)
    await keys.create("ci", digest, ["read", "write"], actor=ACTOR, expires_at=now + timedelta(days=1))
    key = await keys.find(digest)
    assert key and key.scopes == ["read", "write"] and await keys.list() == [key]
    assert key.is_valid(now) and not key.is_valid(now + timedelta(days=2))
    assert await keys.find(hashlib.sha256(b"other").digest()) is None
    with pytest.raises(Conflict):
        await keys.create("ci", hashlib.sha256(b"x").digest(), ["read"], actor=ACTOR)
    with pytest.raises(Invalid):
        await keys.create("other", b"short", ["read"], actor=ACTOR)
    await keys.revoke("ci", "leaked", actor=ACTOR)
    assert await keys.find(digest) is None and not (await keys.list())[0].is_valid(now)
    with pytest.raises(NotFound):
        await keys.revoke("none", actor=ACTOR)


async def test_an_absent_database_is_unavailable_after_the_patience() -> None:
    with pytest.raises(DatabaseUnavailable):
        await Database.open(load().database, "postgresql://nobody@127.0.0.1:1/none", patience_seconds=0.2)


async def test_cut_connections_are_one_error_and_then_new_ones(pool: Database, database: str) -> None:
    killer = await asyncpg.connect(database)
    for _ in range(20):  # asyncpg learns of a cut at one of several moments, and says it differently
        async with pool.acquire():
            with pytest.raises(DatabaseUnavailable):
                async with pool.session() as session:
                    await killer.execute(CUT)
                    await session.fetchval("SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            async with pool.acquire() as connection:
                await killer.execute(CUT)
                await connection.fetchval("SELECT 1")
        assert await answer(pool) == 1
    await killer.close()


async def answer(pool: Database) -> object:
    """Each idle connection that was cut a moment ago may cost one error."""
    for _ in range(load().database.pool_max):
        with suppress(DatabaseUnavailable):
            return await pool.fetchval("SELECT 1")
    return None


async def test_a_statement_that_takes_too_long_is_unavailable(database: str) -> None:
    settings = load().database.model_copy(update={"command_timeout_seconds": 0.2})
    async with await Database.open(settings, database) as pool:
        with pytest.raises(DatabaseUnavailable, match="in time"):
            await pool.fetch("SELECT pg_sleep(5)")
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_pool_without_a_free_connection_is_unavailable(database: str) -> None:
    settings = load().database.model_copy(update={"pool_max": 1})
    async with await Database.open(settings, database) as pool, pool.acquire():
        with pytest.raises(DatabaseUnavailable):
            async with pool.acquire(timeout=0.05):
                pass


async def test_a_server_that_turned_standby_is_unavailable(pool: Database) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(DatabaseUnavailable):
            async with pool.transaction() as other:
                await other.execute("SET TRANSACTION READ ONLY")
                await other.execute("SELECT enqueue_task('noop')")
        assert await connection.fetchval("SELECT 1") == 1
    assert await pool.fetchval("SELECT 1") == 1


async def test_closing_a_pool_cuts_what_is_still_in_use_and_may_happen_twice(database: str) -> None:
    pool = await Database.open(load().database, database)
    entered = asyncio.Event()

    async def linger() -> None:
        async with pool.acquire() as connection:
            entered.set()
            await connection.fetch("SELECT pg_sleep(60)")

    lingering = asyncio.ensure_future(linger())
    await entered.wait()
    await pool.close(timeout=0.1)
    await pool.close()
    with pytest.raises((DatabaseUnavailable, asyncio.CancelledError)):
        await lingering
    with pytest.raises(DatabaseUnavailable):
        await pool.fetchval("SELECT 1")


@pytest.mark.parametrize("value", [{"a": [1, "ü", None, True, 1.5]}, [], "text", 0, None, Json('{"b": 2}')])
async def test_json_goes_through_the_database_unchanged(pool: Database, value: object) -> None:
    wanted = {"b": 2} if isinstance(value, Json) else value
    assert await pool.fetchval("SELECT $1::jsonb", value) == wanted
    if value is not None:
        assert await pool.fetchval("SELECT $1::jsonb[]", [encode(value)] * 2) == [wanted, wanted]


def test_what_json_has_no_form_for_is_not_encoded() -> None:
    for value in (float("nan"), {1, 2}, object()):
        with pytest.raises((ValueError, TypeError)):
            encode(value)


async def test_a_value_out_of_range_is_invalid(pool: Database) -> None:
    with pytest.raises(Invalid, match="does not fit"):
        await pool.fetchval("SELECT $1::smallint", 10**6)
    with pytest.raises(Invalid, match="does not fit"):
        await pool.fetchval("SELECT ($1::text)::timestamptz", "no time")


def test_a_query_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"no_such.sql in service.store/queries"):
        _ = load_queries("service.store").no_such
