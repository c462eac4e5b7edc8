"""GET /metrics: every value against a history that was made through the functions production uses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.api.metrics import Metrics
from service.relay.counts import EVENT_COUNTS, TASK_COUNTS
from service.relay.parking import rewind
from service.settings import load
from service.store.fleet import FleetStore
from service.store.pool import Database
from service.store.queries import load as load_queries
from service.store.status import StatusStore
from service.watchdog import Watchdog
from tests.api_server import KEY, Api, running
from tests.integration.test_relay import reached
from tests.integration.test_relay import running as relay_running

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
START = "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4, 'v1')"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', '{default}', '{noop}', 1)"
END = "SELECT end_attempts('w-1', ARRAY[$1], ARRAY[$2::integer], ARRAY[$3], ARRAY[$4::jsonb])"
WEBHOOK = """
    SELECT append_events(ARRAY[ROW(
        'webhook', 'd-1', 'webhook.' || $1, $2::jsonb, NULL, NULL, NULL, NULL)::event_draft])
"""


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape reads anew."""
    monkeypatch.setattr("service.api.metrics.FRESH_SECONDS", -1.0)


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(load({"environment": "test"}).database, database) as opened:
        yield opened


async def scrape(api: Api) -> Samples:
    """Every sample by name and sorted labels, read anew."""
    async with api.http.get(f"{api.url}/metrics", headers=KEY) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families), "each has a HELP text"
    samples = [sample for family in families for sample in family.samples]
    found = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in samples}
    assert len(found) == len(samples), "no sample twice"
    return found


def value(samples: Samples, name: str, **labels: str) -> float | None:
    if "queue_class" in labels:
        labels["class"] = labels.pop("queue_class")
    return samples.get((name, tuple(sorted(labels.items()))))


async def attempt(db: Database, outcome: str, **detail: Any) -> str:
    (row,) = await db.fetch(CLAIM)
    await db.fetch(END, *row, outcome, detail)
    return str(row[0])


async def counted(db: Database, *, relay_id: str = "r-1") -> None:
    """Let a relay count all that happened."""
    async with relay_running(db, TASK_COUNTS, EVENT_COUNTS, relay_id=relay_id):
        head = await db.fetchval("SELECT max(position) FROM events")
        await reached(db, "task_counts", head)
        await reached(db, "event_counts", head)


async def test_tasks_are_counted_by_type_with_durations_and_waits(api: Api, db: Database) -> None:
    await db.fetchval(START)
    for _ in range(5):
        await api.enqueue()
    await attempt(db, "completed", duration_ms=7.5)
    await attempt(db, "completed", duration_ms=100)
    await attempt(db, "failed", duration_ms=1, error_message="no", retry=False)
    await attempt(db, "failed", duration_ms=1, error_message="no")
    cancelled = await db.fetchval("SELECT task_id FROM background_tasks WHERE attempt = 0")
    await api.call("DELETE", f"/tasks/{cancelled}")
    await counted(db)
    samples = await scrape(api)
    counts = {
        "enqueued": 5,
        "started": 4,
        "completed": 2,
        "failed": 1,
        "retried": 1,
        "cancelled": 1,
        "timed_out": 0,
    }
    for name, count in counts.items():
        assert value(samples, f"annals_tasks_{name}_total", task_type="noop") == count, name
    bucket = "annals_task_duration_seconds_bucket"
    below = {
        le: value(samples, bucket, task_type="noop", le=le) for le in ("0.005", "0.01", "0.05", "0.1", "+Inf")
    }
    assert below == {"0.005": 0, "0.01": 1, "0.05": 1, "0.1": 2, "+Inf": 2}
    assert value(samples, "annals_task_duration_seconds_sum", task_type="noop") == 0.1075
    assert value(samples, "annals_task_duration_seconds_count", task_type="noop") == 2
    assert value(samples, "annals_task_wait_seconds_count", task_type="noop") == 4
    assert 0 < (value(samples, "annals_task_wait_seconds_sum", task_type="noop") or 0) < 60


async def test_queues_tell_what_could_start_what_waits_and_since_when(api: Api, db: Database) -> None:
    await db.fetchval(START)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for priority in (5, 5, 1):
        await api.enqueue(priority=priority)
    await api.enqueue(run_at=later)
    await db.fetch(CLAIM)
    await api.call("POST", "/queues/default/pause", {})
    samples = await scrape(api)
    of = {"queue": "default"}
    assert value(samples, "annals_queue_claimable_tasks", **of, queue_class="medium") == 2
    assert value(samples, "annals_queue_claimable_tasks", **of, queue_class="high") == 0
    assert value(samples, "annals_queue_waiting_tasks", **of, queue_class="medium") == 1
    assert value(samples, "annals_queue_running_tasks", **of, queue_class="high") == 1
    assert 0 < (value(samples, "annals_queue_oldest_claimable_seconds", **of, queue_class="medium") or 0) < 60
    assert value(samples, "annals_queue_oldest_claimable_seconds", **of, queue_class="high") == 0
    assert value(samples, "annals_queue_paused", **of) == 1


async def test_workers_tell_of_themselves_with_their_signs_of_life(api: Api, db: Database) -> None:
    await db.fetchval(START)
    await FleetStore(db).renew_worker("w-1", 3, 0.25, 700.0)
    silent = "SELECT start_worker('w-2', 'h', 2, '{default}', '{noop}', 8, at => now() - interval '1 minute')"
    await db.fetchval(silent)
    await db.fetchval("SELECT start_worker('w-3', 'h', 3, '{default}', '{noop}', 2)")
    await db.fetch("SELECT rescue_tasks('w-3', (SELECT seen_at FROM workers WHERE worker_id = 'w-3'))")
    await counted(db)
    samples = await scrape(api)
    states = ("live", "silent")
    assert [value(samples, "annals_workers", state=state) for state in states] == [1, 1]
    assert [value(samples, "annals_worker_slots", state=state) for state in states] == [4, 8]
    assert [value(samples, "annals_worker_busy_slots", state=state) for state in states] == [3, 0]
    assert value(samples, "annals_loop_lag_seconds", process="worker", id="w-1") == 0.25
    assert 700 <= (value(samples, "annals_longest_running_task_seconds") or 0) < 760
    assert value(samples, "annals_workers_lost_total") == 1
    assert value(samples, "annals_workers_started_total") == 3


async def test_webhooks_tell_attempts_outcomes_and_what_is_open(api: Api, db: Database) -> None:
    for kind, detail in (("delivered", {"latency_ms": 30}), ("attempt_failed", {"latency_ms": 9000})):
        await db.fetch(WEBHOOK, kind, detail)
    await api.enqueue(webhook_url="http://localhost:1/hook")
    await db.fetchval(START)
    await attempt(db, "completed")
    ended = "SELECT position FROM events WHERE type = 'task.completed'"
    await db.fetch(f"SELECT request_webhooks(ARRAY(SELECT position FROM ({ended}) e))")
    await db.fetch("SELECT change_endpoint('https://a.example/x', 'paused', 'it fails')")
    await counted(db)
    samples = await scrape(api)
    assert value(samples, "annals_webhook_attempts_total", outcome="delivered") == 1
    assert value(samples, "annals_webhook_attempts_total", outcome="failed") == 1
    bucket = "annals_webhook_latency_seconds_bucket"
    assert value(samples, bucket, outcome="failed", le="5.0") == 0
    assert value(samples, bucket, outcome="failed", le="10.0") == 1
    assert value(samples, "annals_webhooks_delivered_total") == 1
    assert value(samples, "annals_webhooks_requested_total") == 1
    assert value(samples, "annals_webhooks_open") == 1
    assert 0 < (value(samples, "annals_webhooks_oldest_open_seconds") or 0) < 60
    assert value(samples, "annals_webhook_endpoints", status="paused") == 1


async def test_relay_followers_log_and_schedules(api: Api, db: Database) -> None:
    definition = {"cron": "0 3 * * *", "task_type": "noop", "enabled": False}
    await db.fetch("SELECT set_schedule('nightly', $1::jsonb, NULL)", definition)
    samples = await scrape(api)
    assert value(samples, "annals_relay_leader") == 0
    async with relay_running(db, TASK_COUNTS, EVENT_COUNTS) as (relay, _):
        term = await relay.lease.won()
        await db.fetchval(START)
        head = await db.fetchval("SELECT max(position) FROM events")
        await reached(db, "event_counts", head)
        samples = await scrape(api)
    assert value(samples, "annals_relay_leader") == 1
    assert value(samples, "annals_relay_term") == term
    assert value(samples, "annals_relays", state="leads") == 1
    assert value(samples, "annals_loop_lag_seconds", process="relay", id="r-1") is not None
    position = value(samples, "annals_follower_position", follower="event_counts") or 0
    settled = value(samples, "annals_log_settled_position") or 0
    assert head <= position <= settled == value(samples, "annals_log_position")
    behind = value(samples, "annals_follower_lag_positions", follower="event_counts")
    assert behind == settled - position
    assert value(samples, "annals_follower_parked_events", follower="event_counts") == 0
    assert (value(samples, "annals_log_bytes") or 0) > 8192
    assert value(samples, "annals_schedule_enabled", schedule="nightly") == 0
    assert value(samples, "annals_schedule_last_fired_seconds", schedule="nightly") is None


async def test_an_open_append_is_seen(api: Api, db: Database) -> None:
    async with db.transaction() as late:
        await late.fetch("SELECT enqueue_task('noop')")
        samples = await scrape(api)
    assert (value(samples, "annals_log_open_append_seconds") or 0) > 0
    assert value(await scrape(api), "annals_log_open_append_seconds") == 0


async def test_counters_never_go_back(api: Api, db: Database) -> None:
    """Over another relay, a rewind, retention, and hours that were removed."""
    await db.fetchval(START)
    await api.enqueue()
    await attempt(db, "completed", duration_ms=7.5)
    await counted(db)
    before = counters(await scrape(api))
    assert before["annals_tasks_enqueued_total", (("task_type", "noop"),)] == 1
    for follower in (TASK_COUNTS, EVENT_COUNTS):
        await rewind(db, follower, 0, effects=False, actor="psql:me")
    removed = await db.fetchval("SELECT removed FROM apply_retention('attempts', interval '0')")
    assert removed == 1
    await db.fetch("DELETE FROM task_counts")
    await db.fetch("DELETE FROM event_counts")
    samples = await scrape(api)
    assert samples.pop(("annals_retention_removed_total", (("what", "attempts"),))) == 1
    assert value(samples, "annals_retention_last_removal_seconds", what="attempts") is not None
    between = counters(samples)
    await api.enqueue()
    await counted(db, relay_id="r-2")
    after = counters(await scrape(api))
    assert between == before
    assert all(after[key] >= count for key, count in before.items())
    assert after["annals_tasks_enqueued_total", (("task_type", "noop"),)] == 2


def counters(samples: Samples) -> Samples:
    ends = ("_total", "_bucket", "_count", "_sum")
    return {
        key: count for key, count in samples.items() if key[0].startswith("annals_") and key[0].endswith(ends)
    }


async def test_scrapes_at_once_share_one_reading(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.metrics.FRESH_SECONDS", 60.0)
    metrics = Metrics(StatusStore(db), Watchdog())
    read = metrics.was_read.watch()
    texts = await asyncio.gather(*(metrics.text() for _ in range(20)))
    assert len(set(texts)) == 1
    assert read.qsize() == 1


async def test_the_process_is_told_of_and_nothing_global(api: Api) -> None:
    samples = await scrape(api)
    names = {name for name, _ in samples}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= names
    assert not [name for name in names if not name.startswith(("annals_", "process_"))]
    build = next(labels for name, labels in samples if name == "annals_build_info")
    assert {"version", "python", "postgres"} == {label for label, _ in build}
    assert value(samples, "annals_loop_lag_seconds", process="api", id="") is not None


async def test_without_a_database_the_process_still_answers(database: str) -> None:
    async with running(database) as api:
        await api.db.execute("ALTER TABLE task_totals RENAME TO gone")
        samples = await scrape(api)
        assert value(samples, "annals_database_up") == 0
        assert value(samples, "annals_relay_leader") is None
        await api.db.execute("ALTER TABLE gone RENAME TO task_totals")
        assert value(await scrape(api), "annals_database_up") == 1


@pytest.mark.parametrize(("public", "status"), [(["/healthz"], 401), (["/healthz", "/metrics"], 200)])
async def test_who_may_scrape_is_configuration(database: str, public: list[str], status: int) -> None:
    async with running(database, api__public_paths=public) as api:
        async with api.http.get(f"{api.url}/metrics") as response:
            assert response.status == status
        bearer = {"Authorization": "Bearer test-key"}
        async with api.http.get(f"{api.url}/metrics", headers=bearer) as response:
            assert response.status == 200


async def test_depth_is_counted_up_to_a_limit_while_marks_are_away(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.status.NEAR_POSITIONS", -1)
    monkeypatch.setattr("service.store.status.COUNTED", 3)
    for _ in range(5):
        await api.enqueue()
    of = {"queue": "default", "queue_class": "medium"}
    samples = await scrape(api)
    assert value(samples, "annals_queue_claimable_tasks", **of) == 3
    assert value(samples, "annals_queue_running_tasks", **of) is None
    monkeypatch.setattr("service.store.status.NEAR_POSITIONS", 1000)
    samples = await scrape(api)
    assert value(samples, "annals_queue_claimable_tasks", **of) == 5
    assert value(samples, "annals_queue_waiting_tasks", **of) == 0


async def test_a_reader_may_read_it_all(database: str) -> None:
    """The role annals_reader sees what status and metrics need."""
    connection = await asyncpg.connect(database)
    queries = load_queries("service.store", "queries/status")
    try:
        async with connection.transaction():
            await connection.execute("GRANT annals_reader TO CURRENT_USER; SET LOCAL ROLE annals_reader")
            for name, query in queries.texts.items():
                given = {"log": [0], "depth": [0], "lanes": [10], "deliveries": [10]}.get(name, [])
                await connection.fetch(query, *given)
    finally:
        await connection.close()
