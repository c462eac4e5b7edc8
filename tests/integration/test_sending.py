"""Sending webhooks to real receivers: order, places, signatures, pauses, and being stopped anywhere."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from service.relay.sending.recording import Recorder
from service.relay.sending.secrets import Secrets
from service.relay.sending.sender import Sender
from service.settings import Settings, load
from service.store.deliveries import DeliveryStore
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.webhook_secrets import new_secret
from tests.receiving import LEAD, Hit, deliveries, ended, read_request, receiving, sending, talking

GIVEN = {
    "environment": "test",
    "relay.poll_interval_seconds": 0.2,
    "webhooks.first_delay_seconds": 0.01,
    "webhooks.slow_after_seconds": 0.05,
}
SETTINGS = load(GIVEN)
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
DELIVERED = "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'"
RETRIES = """
    SELECT t.webhook_retry_count FROM background_tasks t JOIN webhook_deliveries w USING (task_id)
    WHERE w.delivery_id = $1
"""
PROBED_FIRST = """
    SELECT count(*) FROM events e JOIN webhook_deliveries w ON w.delivery_id = e.stream_id
    WHERE w.sequence = 1 AND e.data ->> 'probe' = 'true'
"""
TYPES = "SELECT type, data FROM events WHERE stream_type IN ('webhook', 'endpoint') ORDER BY position"


def changed(**webhooks: object) -> Settings:
    return load(GIVEN | {f"webhooks.{name}": value for name, value in webhooks.items()})


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(SETTINGS.database, database) as opened:
        yield opened


def answering(*statuses: int) -> Any:
    """These statuses one after the other, then 200; whatever the path."""
    left = list(statuses)

    async def answer(_: Hit) -> web.Response:
        return web.Response(status=left.pop(0) if left else 200)

    return answer


async def types(db: Database) -> list[str]:
    return [row["type"] for row in await db.fetch(TYPES)]


async def until_step(sender: Sender, name: str, delivery_id: str | None = None) -> None:
    async with asyncio.timeout(30):
        while True:
            step = await sender.steps.watch().get()
            if step.name == name and delivery_id in (None, step.delivery_id):
                return


# --- what a receiver sees


async def test_a_delivery_says_what_happened_and_proves_who_says_so(db: Database) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with receiving() as receiver, sending(db, SETTINGS):
        url = f"{receiver.url}/hook?token=secret"
        (row,) = await ended(db, await deliveries(db, [url], trace=trace))
        (hit,) = receiver.hits
    secret = await db.fetchval("SELECT signing_secrets($1)", row["endpoint"])
    assert Webhook(secret).verify(hit.body, hit.headers) == hit.told
    assert (hit.delivery_id, hit.sequence) == (row["delivery_id"], row["sequence"] == 1)
    told = ["task_id", "agent_id", "task_type", "status", "result", "error", "completed_at", "position"]
    assert list(hit.told) == told and hit.told["task_id"] == row["task_id"]
    assert hit.told["position"] == row["event_position"] and hit.told["status"] == "cancelled"
    assert hit.headers["content-type"] == "application/json" and hit.headers["traceparent"] == trace
    assert hit.headers["user-agent"].startswith("Annals/") and "cookie" not in hit.headers
    assert (row["status"], row["attempts"], row["http_status"]) == ("delivered", 1, 200)


@pytest.mark.parametrize(
    ("statuses", "status", "retries"),
    [((), "delivered", 0), ((503, 503), "delivered", 2), ((503, 503, 503), "abandoned", 3)],
)
async def test_failed_attempts_are_counted_in_the_task_and_logged(
    db: Database, caplog: pytest.LogCaptureFixture, statuses: tuple[int, ...], status: str, retries: int
) -> None:
    caplog.set_level(logging.INFO)
    async with receiving(answering(*statuses)) as receiver, sending(db, SETTINGS):
        (row,) = await ended(db, await deliveries(db, [f"{receiver.url}/hook?token=secret"]))
    assert row["status"] == status and await db.fetchval(RETRIES, row["delivery_id"]) == retries
    assert {hit.delivery_id for hit in receiver.hits} == {row["delivery_id"]}
    lines = [each for each in caplog.records if each.getMessage().startswith("Webhook ")]
    expected = [("WARNING", "Webhook retry")] * min(retries, 2)
    expected += [
        ("INFO", "Webhook delivered")
        if status == "delivered"
        else ("ERROR", "Webhook failed after 3 retries")
    ]
    assert [(line.levelname, line.getMessage()) for line in lines] == expected
    for number, line in enumerate(lines, 1):
        fields = vars(line)["fields"]
        assert fields["task_id"] == row["task_id"] and fields["attempts"] == number
        assert fields["url"] == fields["endpoint"] == row["endpoint"] and "secret" not in json.dumps(
            fields, default=str
        )
        if line.levelname == "WARNING":
            assert fields["next_delay_ms"] == 10 * number and fields["attempt"] == number


async def test_the_wait_that_a_receiver_asks_for_is_recorded_and_kept_within_bounds(db: Database) -> None:
    asked = ["0", "3600"]

    async def answer(_: Hit) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": asked.pop(0)}) if asked else web.Response()

    async with receiving(answer) as receiver, sending(db, changed(retry_after_max_seconds=0.05)):
        (row,) = await ended(db, await deliveries(db, [receiver.url]))
    failed = [each["data"] for each in await db.fetch(TYPES) if each["type"] == "webhook.attempt_failed"]
    assert [each["next_delay_ms"] for each in failed] == [10, 50] and row["attempts"] == 3


async def test_each_failed_attempt_is_in_the_log_before_the_next_one_is_made(db: Database) -> None:
    known: list[int] = []

    async def answer(hit: Hit) -> web.Response:
        count = "SELECT count(*) FROM events WHERE type = 'webhook.attempt_failed' AND stream_id = $1"
        known.append(await db.fetchval(count, hit.delivery_id))
        return web.Response(status=500)

    async with receiving(answer) as receiver, sending(db, SETTINGS):
        await ended(db, await deliveries(db, [receiver.url]))
    assert known == [0, 1, 2]


async def test_during_a_rotation_the_old_and_the_new_secret_verify_and_then_the_new_one_alone(
    db: Database,
) -> None:
    old, new, newest = new_secret(), new_secret(), new_secret()
    store = DeliveryStore(db)
    await store.first_secret(old)
    async with receiving() as receiver, sending(db, SETTINGS):
        url = f"{receiver.url}/hook"

        async def verified_by() -> list[bool]:
            number = len(receiver.hits)
            await ended(db, await deliveries(db, [url]))
            hit = receiver.hits[number]
            return [verifies(secret, hit) for secret in (old, new, newest)]

        assert await verified_by() == [True, False, False]
        await store.rotate_secret("default", new, 3600, None, actor="psql:test")
        assert await verified_by() == [True, True, False]
        await store.rotate_secret("default", newest, 0, "it leaked", actor="psql:test")
        # `old` has its hour; `new` was told to end at once.
        assert await verified_by() == [True, False, True]
        own = new_secret()
        await store.rotate_secret(f"endpoint:{url}", own, 0, None, actor="psql:test")
        assert await verified_by() == [False, False, False] and verifies(own, receiver.hits[-1])


def verifies(secret: str, hit: Hit) -> bool:
    try:
        Webhook(secret).verify(hit.body, hit.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_secrets_are_asked_for_once_in_a_while_and_again_when_told_so(db: Database) -> None:
    store = DeliveryStore(db)
    await store.first_secret(new_secret())
    secrets = Secrets(store)
    (before,) = await secrets.of("https://x.example/", None)
    newer = new_secret()
    await store.rotate_secret("default", newer, 0, None, actor="psql:test")
    assert await secrets.of("https://x.example/", None) == [before]
    secrets.forget()
    assert await secrets.of("https://x.example/", None) == [newer]


async def test_when_nothing_waits_for_a_time_there_is_no_such_time(db: Database) -> None:
    """Zero would have the sender ask again and again."""
    store = DeliveryStore(db)
    assert await store.next_due_in() is None
    async with receiving(answering(503)) as receiver:
        (delivery_id,) = await deliveries(db, [receiver.url])
        async with sending(db, changed(first_delay_seconds=60)) as sender:
            await until_step(sender, "waiting", delivery_id)
            assert 50 < (await store.next_due_in() or 0) <= 60


# --- order and places


async def test_deliveries_begin_in_order_at_most_four_at_once(db: Database) -> None:
    async def answer(_: Hit) -> web.Response:
        await asyncio.sleep(0.002)  # so that several are open
        return web.Response()

    async with receiving(answer) as receiver:
        ids = await deliveries(db, [f"{receiver.url}/a", f"{receiver.url}/b"] * 40)
        async with sending(db, changed(slow_after_seconds=10)) as sender:
            begun = []
            while len(begun) < 80:
                step = await sender.steps.watch().get()
                begun += [step.delivery_id] if step.name == "taken" else []
            await ended(db, ids)
        numbers = {hit.delivery_id: hit.sequence for hit in receiver.hits}
        for path in ("/a", "/b"):
            mine = {hit.delivery_id for hit in receiver.to(path)}
            assert [numbers[each] for each in begun if each in mine] == list(range(1, 41))
        assert receiver.most_open == {"/a": 4, "/b": 4}


async def test_endpoints_that_hang_delay_nobody(db: Database) -> None:
    """Fifty endpoints hang until a hundred deliveries to a healthy one have arrived."""
    released = asyncio.Event()

    async def answer(hit: Hit) -> web.Response:
        if hit.path.startswith("/hangs"):
            await released.wait()
        return web.Response()

    async with receiving(answer) as receiver:
        hanging = await deliveries(db, [f"{receiver.url}/hangs/{n}" for n in range(50) for _ in range(6)])
        healthy = await deliveries(db, [f"{receiver.url}/healthy"] * 100)
        async with sending(db, SETTINGS):
            rows = await ended(db, healthy)
            assert {row["attempts"] for row in rows} == {1}
            assert await db.fetchval(DELIVERED) == 100, "none of those that hang has ended"
            await receiver.arrived(300)
            released.set()
            await ended(db, hanging)
        assert max(receiver.most_open.values()) == 4 and len(receiver.hits) == 400


async def test_a_long_backlog_of_a_few_endpoints_does_not_hold_up_another(db: Database) -> None:
    """What comes last, to an endpoint of its own, arrives long before the backlog is done."""
    begun = asyncio.Event()

    async def answer(hit: Hit) -> web.Response:
        if hit.path != "/new":
            begun.set()
            await known.wait()
        return web.Response()

    known = asyncio.Event()
    async with receiving(answer) as receiver:
        backlog = await deliveries(db, [f"{receiver.url}/{n}" for n in range(6) for _ in range(40)])
        async with sending(db, changed(slow_after_seconds=30)):
            await begun.wait()
            (new,) = await deliveries(db, [f"{receiver.url}/new"])
            await db.fetchval("SELECT ring_doorbell('annals_webhooks')")
            known.set()
            await ended(db, [new])
            place = [hit.path for hit in receiver.hits].index("/new")
            await ended(db, backlog)
    assert place < 120 and len(receiver.hits) == 241


async def test_a_retry_does_not_hold_up_the_next_and_holds_no_place(db: Database) -> None:
    async def answer(hit: Hit) -> web.Response:
        return web.Response(status=503 if hit.sequence <= 4 else 200)

    async with receiving(answer) as receiver:
        ids = await deliveries(db, [receiver.url] * 12)
        async with sending(db, changed(first_delay_seconds=60)):
            await ended(db, ids[4:])
        rows = await db.fetch("SELECT sequence, attempts FROM webhook_deliveries WHERE status = 'pending'")
        assert sorted(map(tuple, rows)) == [(1, 1), (2, 1), (3, 1), (4, 1)]


async def test_more_retries_than_may_wait_in_memory_wait_in_their_rows(db: Database) -> None:
    arrived: Counter[str] = Counter()

    async def answer(hit: Hit) -> web.Response:
        arrived[hit.delivery_id] += 1
        return web.Response(status=503 if arrived[hit.delivery_id] < 3 else 200)

    bounded = changed(most_open=2, concurrency=2, per_endpoint=2)
    async with receiving(answer) as receiver, sending(db, bounded):
        rows = await ended(db, await deliveries(db, [receiver.url] * 10))
    assert {(row["status"], row["attempts"]) for row in rows} == {("delivered", 3)}


async def test_numbers_have_no_gap_over_what_is_skipped_and_sent_again(db: Database) -> None:
    store = DeliveryStore(db)
    async with receiving() as receiver, sending(db, SETTINGS):
        url = f"{receiver.url}/hook"
        before = await deliveries(db, [url] * 3)
        await ended(db, before)
        await store.change_endpoint(url, "disabled", "they move", actor="psql:test")
        (skipped,) = await deliveries(db, [url])
        await store.change_endpoint(url, "active", "they moved", actor="psql:test")
        await ended(db, await deliveries(db, [url] * 2))
        again = await store.redeliver([skipped, before[0]], "they lost it", actor="psql:test")
        assert {each.outcome for each in again} == {"requested"}
        await ended(db, [skipped, before[0]])
        assert sorted(hit.sequence for hit in receiver.hits) == [1, 1, 2, 3, 4, 5, 6]
        twice = [hit for hit in receiver.hits if hit.delivery_id == before[0]]
        assert [hit.sequence for hit in twice] == [1, 1] and twice[0].body == twice[1].body


# --- endpoints that are paused or gone


async def test_an_endpoint_that_fails_for_long_is_paused_probed_and_resumed(db: Database) -> None:
    healthy = asyncio.Event()

    async def answer(_: Hit) -> web.Response:
        return web.Response(status=200 if healthy.is_set() else 500)

    patient = changed(
        pause_after_seconds=0.001,
        pause_after_failures=3,
        probe_seconds=0.05,
        probe_max_seconds=0.1,
        attempts=9,
    )
    async with receiving(answer) as receiver:
        ids = await deliveries(db, [receiver.url] * 8)
        async with sending(db, patient):
            async with asyncio.timeout(30):
                # Those that wait in memory when it is paused go back to their rows first.
                while not await db.fetchval(PROBED_FIRST):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # the log says it, and rings nobody here
            before = await db.fetchval("SELECT failures FROM webhook_deliveries WHERE sequence = 1")
            seen = len(receiver.hits)
            await receiver.arrived(seen + 2)
            assert {hit.sequence for hit in receiver.hits[seen:]} == {1}, "one at a time, the oldest"
            assert await db.fetchval("SELECT failures FROM webhook_deliveries WHERE sequence = 1") == before
            healthy.set()
            done = await ended(db, ids)
    assert {row["status"] for row in done} == {"delivered"}
    kinds = await types(db)
    assert kinds.count("endpoint.paused") == kinds.count("endpoint.resumed") == 1
    resumed_at = kinds.index("endpoint.resumed")
    assert kinds[:resumed_at].count("webhook.delivered") == 1, "the probe; the others wait for it"
    assert kinds[resumed_at:].count("webhook.delivered") == 7


async def test_what_a_person_pauses_waits_and_goes_out_in_order_when_resumed(db: Database) -> None:
    store = DeliveryStore(db)
    async with receiving() as receiver, sending(db, SETTINGS):
        url = f"{receiver.url}/hook"
        await ended(db, await deliveries(db, [url]))
        await store.change_endpoint(url, "paused", "they deploy", actor="psql:test")
        waiting = await deliveries(db, [url] * 5)
        await ended(db, await deliveries(db, [f"{receiver.url}/other"]))
        assert len(receiver.to("/hook")) == 1
        await store.change_endpoint(url, "active", "deployed", actor="psql:test")
        await ended(db, waiting)
        assert [hit.sequence for hit in receiver.to("/hook")][:3] == [1, 2, 3]


async def test_a_retry_that_waits_is_not_sent_to_an_endpoint_that_was_disabled_meanwhile(
    db: Database,
) -> None:
    store = DeliveryStore(db)
    async with receiving(answering(503)) as receiver:
        (delivery_id,) = await deliveries(db, [receiver.url])
        async with sending(db, changed(first_delay_seconds=0.3)) as sender:
            await until_step(sender, "waiting", delivery_id)
            await store.change_endpoint(receiver.url, "disabled", "enough", actor="psql:test")
            await ended(db, await deliveries(db, [f"{receiver.url}/other"]))
            await until_step(sender, "left", delivery_id)
            assert len(receiver.to("/")) == 1
            await store.change_endpoint(receiver.url, "active", "go on", actor="psql:test")
            (row,) = await ended(db, [delivery_id])
    assert (row["status"], row["attempts"], row["failures"]) == ("delivered", 2, 1)


async def test_410_disables_the_endpoint_and_what_comes_later_is_skipped(db: Database) -> None:
    async with receiving(answering(410)) as receiver, sending(db, SETTINGS):
        (row,) = await ended(db, await deliveries(db, [receiver.url]))
        assert (row["status"], row["attempts"], row["http_status"]) == ("abandoned", 1, 410)
        (later,) = await ended(db, await deliveries(db, [receiver.url]))
        assert later["status"] == "skipped" and len(receiver.hits) == 1
    assert "endpoint.disabled" in await types(db)


# --- stopped anywhere, it goes on from the rows


STEPS = ["taken", "request", "answered", "recording", "recorded", "waiting"]


@pytest.mark.parametrize("step", STEPS)
async def test_stopped_at_any_step_nothing_is_left_behind_and_another_goes_on(
    db: Database, step: str
) -> None:
    async with receiving(answering(503)) as receiver:
        (delivery_id,) = await deliveries(db, [receiver.url])
        async with sending(db, SETTINGS) as sender:
            await until_step(sender, step, delivery_id)
        async with sending(db, SETTINGS, "r-2"):
            (row,) = await ended(db, [delivery_id])
        assert row["status"] == "delivered" and {hit.delivery_id for hit in receiver.hits} == {delivery_id}
        recorded = await db.fetch(
            "SELECT version, type FROM events WHERE stream_id = $1 ORDER BY 1", delivery_id
        )
        assert len(recorded) <= 1 + len(receiver.hits), "an attempt that is recorded was made"
        assert row["failures"] == await db.fetchval(RETRIES, delivery_id) == len(recorded) - 2


async def test_cut_off_in_a_request_it_closes_the_connection(db: Database) -> None:
    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        begun.set()
        await reader.read()

    begun = asyncio.Event()
    async with talking(hangs) as peer:
        await deliveries(db, [peer.url])
        async with sending(db, SETTINGS):
            async with asyncio.timeout(30):
                await begun.wait()
        await peer.all_closed()


async def test_an_outcome_is_recorded_also_when_the_database_was_away_meanwhile(db: Database) -> None:
    async def answer(_: Hit) -> web.Response:
        with psycopg.connect(db.dsn, autocommit=True) as own:
            own.execute(CUT)
        return web.Response()

    async with receiving(answer) as receiver:
        (delivery_id,) = await deliveries(db, [receiver.url])
        async with sending(db, SETTINGS) as sender:
            await until_step(sender, "recorded", delivery_id)
        (row,) = await ended(db, [delivery_id])
    assert (row["status"], row["attempts"]) == ("delivered", 1) and len(receiver.hits) == 1


async def test_an_attempt_that_the_database_chokes_on_fails_alone(db: Database) -> None:
    term = await db.fetchval(LEAD, "r-1")
    ids = await deliveries(db, ["http://localhost/"] * 3)
    async with Doorbell(db, SETTINGS.wakeup) as bell:
        recorder = Recorder(DeliveryStore(db), bell, "r-1", term)
        running = asyncio.create_task(recorder.run())
        details: list[dict[str, Any]] = [{"http_status": each} for each in (200, 99_999, 200)]
        outcomes = await asyncio.gather(
            *(recorder.record(each, 1, "delivered", said) for each, said in zip(ids, details, strict=True)),
            return_exceptions=True,
        )
        running.cancel()
        await asyncio.wait([running])
    assert outcomes[0] is outcomes[2] is True and isinstance(outcomes[1], Exception)
    assert await db.fetchval(DELIVERED) == 2


async def test_one_that_lost_its_lease_stops_and_records_nothing(db: Database) -> None:
    async with receiving() as receiver:

        async def answer(_: Hit) -> web.Response:
            await db.fetch("UPDATE relay_lease SET expires_at = clock_timestamp() - interval '1 second'")
            assert await db.fetchval("SELECT leads_term FROM lead_relay('r-2', 'here', 2, NULL, 600)")
            return web.Response()

        receiver.answer = answer
        (delivery_id,) = await deliveries(db, [receiver.url])
        async with sending(db, SETTINGS):
            (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "webhook sender"]
            async with asyncio.timeout(30):
                await asyncio.wait([task])
        assert len(receiver.hits) == 1 and task.exception() is None
        assert (
            await db.fetchval("SELECT attempts FROM webhook_deliveries WHERE delivery_id = $1", delivery_id)
            == 0
        )


async def test_a_delivery_that_nobody_foresaw_how_it_fails_does_not_stop_the_others(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving() as receiver:
        url, other = f"{receiver.url}/hook", f"{receiver.url}/other"
        await db.fetchval("SELECT first_secret($1)", new_secret())
        await db.fetch(
            "INSERT INTO webhook_secrets (scope, secret, created_at) VALUES ($1, 'no secret', now())",
            f"endpoint:{url}",
        )
        (broken,) = await deliveries(db, [url])
        async with sending(db, SETTINGS):
            await ended(db, await deliveries(db, [other] * 3))
        assert [hit.path for hit in receiver.hits] == ["/other"] * 3
        assert (
            await db.fetchval("SELECT attempts FROM webhook_deliveries WHERE delivery_id = $1", broken) == 0
        )
    assert "Webhook could not be sent" in caplog.text
