"""What the counting followers count: histograms, totals, and that a total never goes back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.relay.counts import EVENT_COUNTS, TASK_COUNTS
from service.relay.parking import rewind
from service.store.pool import Database
from tests.integration.test_relay import SETTINGS, enqueue, reached, running

TOTAL = """
    SELECT max(enqueued) AS enqueued, max(started) AS started, max(completed) AS completed,
           max(retried) AS retried, max(failed) AS failed, max(duration_ms) AS duration_ms,
           max(wait_ms) AS wait_ms,
           highest_buckets(duration_buckets) AS durations, highest_buckets(wait_buckets) AS waits
    FROM task_totals WHERE task_type = 'noop'
"""
WEBHOOK = """
    SELECT append_events(ARRAY[ROW(
        'webhook', 'd-' || n, 'webhook.' || $1, $2::jsonb, NULL, NULL, NULL, NULL)::event_draft])
    FROM generate_series(1, $3) n
"""
START = "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', 1, at => $1)"
END = "SELECT end_attempts('w-1', ARRAY[$1], ARRAY[$2::integer], ARRAY[$3], ARRAY[$4::jsonb])"


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(SETTINGS.database, database) as opened:
        noop = {"task_type": "noop", "code_version": "1", "max_attempts": 2}
        await opened.fetchval("SELECT publish_task_types($1)", [noop])
        await opened.fetchval(START)
        yield opened


async def attempt(db: Database, outcome: str, detail: dict[str, Any], seconds_later: float = 0) -> None:
    """The next task runs and ends so."""
    at = await db.fetchval("SELECT clock_timestamp() + make_interval(secs => $1)", seconds_later)
    (row,) = await db.fetch(CLAIM, at)
    await db.fetch(END, *row, outcome, detail)


async def counted(db: Database) -> dict[str, Any]:
    await reached(db, "task_counts", await db.fetchval("SELECT max(position) FROM events"))
    row = await db.fetchrow(TOTAL)
    assert row is not None
    return dict(row)


@pytest.mark.parametrize(
    ("milliseconds", "bucket"),
    [(0, 1), (1, 1), (1.001, 2), (5, 2), (5.001, 3), (3_600_000, 19), (3_600_000.001, 20)],
)
async def test_a_value_lies_below_the_bound_that_it_equals(
    db: Database, milliseconds: float, bucket: int
) -> None:
    buckets = await db.fetchval("SELECT bucket_counts(ARRAY[$1::float8]::numeric[])", milliseconds)
    assert buckets == [int(place == bucket) for place in range(1, 21)]


async def test_outcomes_durations_and_waits_are_counted_by_type(db: Database) -> None:
    await enqueue(db, {}, {}, {}, {})
    no = {"duration_ms": 1, "error_message": "no"}
    async with running(db, TASK_COUNTS):
        await attempt(db, "completed", {"duration_ms": 7.5}, seconds_later=2)
        await attempt(db, "completed", {"duration_ms": 300}, seconds_later=2)
        await attempt(db, "failed", no | {"retry": False}, seconds_later=2)
        await attempt(db, "failed", no, seconds_later=2)
        total = await counted(db)
    names = ["enqueued", "started", "completed", "retried", "failed"]
    assert [total[name] for name in names] == [4, 4, 2, 1, 1]
    assert total["duration_ms"] == 307.5
    assert total["durations"][2] == 1 and total["durations"][7] == 1 and sum(total["durations"]) == 2
    assert total["waits"][9] == 4, "about two seconds each, between 1 s and 2.5 s"
    assert 8000 <= total["wait_ms"] < 10_000


async def test_a_task_for_later_waits_from_its_time_on(db: Database) -> None:
    later = await db.fetchval("SELECT clock_timestamp() + interval '1 hour'")
    await db.fetch("SELECT enqueue_task('noop', run_at => $1)", later)
    async with running(db, TASK_COUNTS):
        await attempt(db, "completed", {"duration_ms": 1}, seconds_later=3600.02)
        total = await counted(db)
    assert 0 <= total["wait_ms"] < 600_000, "not the hour that it was to wait"


async def test_a_total_never_goes_back_while_its_counts_are_taken_again(db: Database) -> None:
    await enqueue(db, {}, {}, {})
    async with running(db, TASK_COUNTS):
        await attempt(db, "completed", {"duration_ms": 7.5})
        before = await counted(db)
    await rewind(db, TASK_COUNTS, 0, effects=False, actor="psql:me")
    assert await db.fetchval("SELECT sum(enqueued) FROM task_counts") == 0
    total = await db.fetchrow(TOTAL)
    assert total is not None and dict(total) == before
    async with running(db, TASK_COUNTS, relay_id="r-2"):
        assert await counted(db) == before
        await enqueue(db, {})
        after = await counted(db)
    assert after["enqueued"] == before["enqueued"] + 1
    (hours, totals) = await db.fetchrow(
        "SELECT (SELECT sum(enqueued) FROM task_counts), (SELECT enqueued FROM task_totals WHERE NOT rewound)"
    ) or (0, 0)
    assert hours == totals == 4


async def test_removing_old_hours_leaves_the_totals(db: Database) -> None:
    await enqueue(db, {})
    async with running(db, TASK_COUNTS):
        before = await counted(db)
        await db.fetch("DELETE FROM task_counts")
        assert await counted(db) == before


async def test_webhooks_and_lost_workers_are_counted_with_their_latency(db: Database) -> None:
    await db.fetch(WEBHOOK, "delivered", {"latency_ms": 30}, 2)
    await db.fetch(WEBHOOK, "attempt_failed", {"latency_ms": 9000, "http_status": 503}, 1)
    async with running(db, EVENT_COUNTS):
        head = await db.fetchval("SELECT max(position) FROM events")
        await reached(db, "event_counts", head)
    rows = await db.fetch("SELECT type, events, latency_ms, latency_buckets FROM event_totals ORDER BY type")
    found = {row[0]: row for row in rows}
    assert found["webhook.delivered"][1] == 2 and found["webhook.delivered"][2] == 60
    assert found["webhook.delivered"][3][4] == 2
    assert found["webhook.attempt_failed"][3][11] == 1
    assert found["worker.started"][1] == 1


async def test_the_checkpoint_passes_what_nobody_wants_also_when_nothing_follows(db: Database) -> None:
    """Else an installation at rest would show a lag, and an alert, for ever."""
    async with running(db, TASK_COUNTS):
        (wanted,) = await enqueue(db, {})
        await reached(db, "task_counts", wanted)
        await reached(db, "task_counts", await db.fetchval("SELECT pause_queue('default')"))
