"""The parts of sending webhooks that need neither a network nor a database."""

import asyncio
import hashlib
import hmac
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from service.errors import Invalid
from service.relay.sending.answer import Answer, excerpt, may_help, retry_after
from service.relay.sending.breaker import Breaker
from service.relay.sending.guard import Guard, Refused
from service.relay.sending.places import Places
from service.relay.sending.ready import Ready
from service.relay.sending.retrying import Waits
from service.relay.sending.signature import signed_headers
from service.settings import load
from service.store.deliveries import DueDelivery
from service.store.webhook_secrets import key_of, new_secret
from tests.unit.test_coverage_urls import INWARDS

SETTINGS = load({"environment": "test", "webhooks.slow_after_seconds": 0.01}).webhooks
HERE = "http://localhost/hook"


# --- signature


def test_an_independent_library_verifies_the_signature_over_the_very_bytes() -> None:
    secret, body = new_secret(), '{"result": "größer", "n": 1.0}'.encode()
    headers = signed_headers("wh-1", int(time.time()), body, [secret])
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"1.0", b"1.1"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": "wh-2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_while_secrets_are_rotated_the_old_and_the_new_one_verify() -> None:
    new, old, body = new_secret(), new_secret(), b"{}"
    headers = signed_headers("wh-1", int(time.time()), body, [new, old])
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    expected = hmac.new(key_of(new), body, hashlib.sha256).hexdigest()
    assert headers["X-Agent-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "whsec_abc", "c2VjcmV0", "p", "whsec_ä"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(Invalid, match="whsec_"):
        signed_headers("wh-1", 0, b"{}", [secret])


def test_without_a_secret_nothing_is_sent_unsigned() -> None:
    with pytest.raises(Invalid, match="no webhook secret"):
        signed_headers("wh-1", 0, b"{}", [])


# --- guard: what a name resolved to, judged when the socket is made


ADDRESSES = [host.strip("[]").replace("%25", "%") for host in INWARDS if host[0] == "["]
ADDRESSES += [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "168.63.129.16",
    "100.64.0.1",
    "224.0.0.1",
    "0.0.0.0",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_socket_is_made_for_an_address_that_reaches_inwards(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(Refused):
        Guard(allow_loopback=False)((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize(("address", "allowed"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False)])
def test_where_this_machine_is_allowed_nothing_else_is(address: str, allowed: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    info = (family, socket.SOCK_STREAM, 6, "", (address, 443))
    if allowed:
        Guard(allow_loopback=True)(info).close()
    else:
        with pytest.raises(Refused):
            Guard(allow_loopback=True)(info)


def test_a_public_address_gets_its_socket() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))
    Guard(allow_loopback=False)(info).close()


# --- waits


def answer(status: int | None = 503, *, final: bool = False, asked: float = 0.0) -> Answer:
    return Answer(status, None, 1, final, asked)


def test_three_attempts_wait_one_second_then_two_and_none_after_the_last() -> None:
    waits = Waits(SETTINGS, failures=0)
    assert [waits.next_delay(attempt, answer()) for attempt in (1, 2, 3)] == [1.0, 2.0, None]


def test_after_a_take_over_the_attempts_and_waits_that_are_left_follow() -> None:
    waits = Waits(SETTINGS, failures=1)
    assert waits.attempts == 2
    assert [waits.next_delay(attempt, answer()) for attempt in (1, 2)] == [2.0, None]
    assert Waits(SETTINGS, failures=7).attempts == 1, "one is always made of what is due"


def test_a_final_answer_waits_for_nothing() -> None:
    assert Waits(SETTINGS, failures=0).next_delay(1, answer(404, final=True)) is None


@pytest.mark.parametrize(("asked", "delay"), [(0.0, 1.0), (0.5, 1.0), (7.0, 7.0), (600.0, 60.0)])
def test_what_the_receiver_asks_for_lengthens_the_wait_within_bounds(asked: float, delay: float) -> None:
    waits = Waits(SETTINGS, failures=0)
    assert waits.next_delay(1, answer(asked=asked)) == delay
    assert waits.get_timeout(1) == delay, "aiohttp-retry sleeps what was recorded"


def test_many_attempts_never_wait_longer_than_the_longest() -> None:
    many = SETTINGS.model_copy(update={"attempts": 5000})
    assert Waits(many, failures=4000).next_delay(1, answer()) == 60.0


@pytest.mark.parametrize(
    ("status", "again"), [(500, True), (503, True), (599, True), (429, True), (404, False), (302, False)]
)
def test_which_statuses_are_tried_again(status: int, again: bool) -> None:
    assert may_help(status) is again


def test_retry_after_is_read_as_seconds_or_as_a_date_on_429_and_503_only() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    assert retry_after(429, " 7 ") == retry_after(503, "7") == 7.0
    assert 28 < retry_after(503, soon) <= 30
    for status, header in ((500, "7"), (429, None), (429, ""), (429, "-7"), (429, "soon"), (503, past)):
        assert retry_after(status, header) == 0.0
    assert retry_after(429, "9" * 400) == retry_after(429, "Mon, 99 Foo 99999 99:99:99 GMT") == 0.0


def test_what_a_receiver_says_is_cut_and_made_printable() -> None:
    assert excerpt(b"") is excerpt(b" \n\x00") is None
    assert excerpt(b"no\x00 \x1b[31mroom\r\n\xff") == "no [31mroom \ufffd"
    assert len(excerpt("ä".encode() * 5000) or "") == 200


# --- breaker


def test_an_endpoint_is_paused_after_so_many_failures_in_a_row_over_so_long() -> None:
    breaker = Breaker(SETTINGS)
    assert [breaker.failed(HERE, now) for now in range(0, 200, 10)] == [None] * 20, "not long enough"
    assert breaker.failed(HERE, 300.0) == "21 failed attempts in a row in 300 s"
    breaker.delivered(HERE)
    assert breaker.failed(HERE, 1000.0) is None
    assert breaker.failed(HERE, 2000.0) is None, "not often enough"


def test_probes_come_at_doubled_distances_up_to_the_longest() -> None:
    breaker = Breaker(SETTINGS)
    breaker.now_paused([HERE], 0.0)
    assert breaker.to_probe(59.0) == [] and breaker.next_probe_at(0.0) == 60.0
    now, pauses = 60.0, []
    for _ in range(8):
        assert breaker.to_probe(now) == [HERE]
        assert breaker.next_probe_at(now) is None, "it waits for a delivery, not for a time"
        breaker.probe_begins(HERE)
        assert breaker.to_probe(now) == [], "one at a time"
        breaker.probe_ends(HERE)
        pauses.append(breaker.probe_failed(HERE, now))
        assert breaker.to_probe(now) == []
        now += pauses[-1]
    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600]
    breaker.now_paused([HERE], now)
    assert breaker.to_probe(now) == [HERE], "looked at again, it keeps its time"
    breaker.now_paused([], now)
    breaker.now_paused([HERE], now)
    assert breaker.to_probe(now) == [], "paused anew, it begins anew"


# --- places


def places(**changed: object) -> tuple[Places, list[int]]:
    moved: list[int] = []
    given = {"concurrency": 3, "per_endpoint": 2, "most_open": 5, "slow_after_seconds": 30.0} | changed
    return Places(SETTINGS.model_copy(update=given), lambda: moved.append(1)), moved


async def test_an_endpoint_has_so_many_places_and_all_together_so_many() -> None:
    room, moved = places()
    first, second = room.take("a"), room.take("a")
    assert first and second and room.take("a") is None and room.busy() == ["a"] and room.free() == 1
    assert room.take("b") and room.take("c") is None and room.free() == 0
    first.give_back()
    first.give_back()
    assert moved == [1] and room.free() == 1 and room.busy() == [] and room.take("c")


async def test_a_retry_gets_the_place_that_becomes_free_and_a_cancelled_one_gives_it_back() -> None:
    room, _ = places()
    first, second = room.take("a"), room.take("a")
    assert first and second
    waiting = [asyncio.create_task(room.wait("a")) for _ in range(3)]
    await asyncio.sleep(0)  # let them ask
    first.give_back()
    assert room.take("a") is None, "those who wait come first"
    second.give_back()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert room.free() == 3 and room.busy() == []


async def test_hanging_requests_give_their_places_to_others_and_count_for_most_open_only() -> None:
    moved = asyncio.Event()
    given = {"concurrency": 2, "per_endpoint": 3, "most_open": 5, "slow_after_seconds": 0.01}
    room = Places(SETTINGS.model_copy(update=given), moved.set)
    hanging = [room.take("hangs"), room.take("hangs too")]
    assert all(hanging) and room.free() == 0
    while room.free() < 2:
        moved.clear()
        await moved.wait()
    third = room.take("hangs")
    assert third and room.free() == 2, "known to be slow, it does not hold a quick place at all"
    assert room.take("hangs too") and room.take("hangs too") and room.free() == 0, "most_open"
    third.give_back()
    assert room.free() == 1 and room.take("hangs").quick, "it answered quickly: one like any other again"


# --- ready


def due(endpoint: str, sequence: int) -> DueDelivery:
    now = datetime.now(UTC)
    return DueDelivery(
        *(f"wh-{endpoint}-{sequence}", endpoint, endpoint, sequence, 0, 0, now, "active"),
        *(None, "t", None, "{}", None, None),
    )


async def test_endpoints_take_turns_each_in_order_of_its_numbers() -> None:
    ready = Ready()
    ready.put([due("a", 2), due("a", 1), due("a", 3), due("b", 7), due("c", 1)])
    room, _ = places(concurrency=4, per_endpoint=2, most_open=9)
    taken = [(row.endpoint, row.sequence) for row, _ in ready.take(room)]
    assert taken == [("a", 1), ("b", 7), ("c", 1), ("a", 2)]
    assert ready.endpoints() == ["a"] and len(ready) == 1
    assert list(ready.take(room)) == []
    ready.drop("a")
    ready.drop("a")
    assert len(ready) == 0
