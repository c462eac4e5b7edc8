"""What may go wrong between a delivery and its receiver, over real TCP, and what becomes of the delivery."""

import asyncio
import gzip
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from service.relay.sending import guard
from service.relay.sending.answer import REFUSED
from service.relay.sending.attempt import attempt
from service.relay.sending.session import open_session
from service.settings import load
from service.store.pool import Database
from service.urls import check_webhook_url
from tests.receiving import (
    SELF_SIGNED,
    Peer,
    Talk,
    deliveries,
    ended,
    read_request,
    receiving,
    sending,
    talking,
)

FAST = {
    "environment": "test",
    "relay.poll_interval_seconds": 0.1,
    "webhooks.attempts": 2,
    "webhooks.first_delay_seconds": 0.01,
    "webhooks.retry_after_max_seconds": 0.05,
    "webhooks.timeout_seconds": 1,
}
SETTINGS = load(FAST)
# For faults that are a time that runs out.
HASTY = load(FAST | {"webhooks.timeout_seconds": 0.1})
ABROAD = load(FAST | {"webhooks.allow_http_localhost": "false"})
BOMB = gzip.compress(bytes(10_000_000))


@pytest.fixture
async def db(module_database: str) -> AsyncIterator[Database]:
    """One for all of them: each delivers to a port of its own."""
    async with await Database.open(SETTINGS.database, module_database) as opened:
        yield opened


def says(*parts: bytes) -> Talk:
    """Read the request, then say this and close."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()

    return talk


def status(line: str, *headers: str, body: bytes = b"") -> Talk:
    head = "\r\n".join([f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers, "", ""])
    return says(head.encode() + body)


async def resets_before_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    reset(writer)


async def resets_mid_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    reset(writer)


async def resets_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def slow_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX-")
    await reader.read()  # until the sender has had enough


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 1000\r\n\r\nbusy, ")
    await reader.read()


async def slow_body_of_200(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nwell, ")
    await reader.read()


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 500 No\r\n\r\n")
    while True:
        writer.write(b"never again " * 1000)
        await writer.drain()  # raises once the sender has closed


async def no_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


SOON = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@dataclass(frozen=True)
class Expected:
    """How a delivery ends, and after how many attempts; `error` is found in the last one's (a pattern)."""

    outcome: str
    attempts: int
    http_status: int | None = None
    error: str | None = None


DELIVERED = Expected("delivered", 1, 200)
AGAIN = 2
FAULTS: dict[str, tuple[Talk, Expected]] = {
    "200": (status("200 OK"), DELIVERED),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), Expected("delivered", 1, 204)),
    "200, slow body": (slow_body_of_200, DELIVERED),
    "200, truncated body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"), DELIVERED),
    "200, gzip bomb": (status("200 OK", "Content-Encoding: gzip", body=BOMB), DELIVERED),
    "301": (status("301 Moved", "Location: http://127.0.0.1:1/"), Expected("abandoned", 1, 301)),
    "307": (status("307 Moved", "Location: /elsewhere"), Expected("abandoned", 1, 307)),
    "400": (
        status("400 Bad", body=b"\x1b[1mno\x00 thanks"),
        Expected("abandoned", 1, 400, r"^\[1mno thanks$"),
    ),
    "401": (status("401 Who", "WWW-Authenticate: Basic"), Expected("abandoned", 1, 401)),
    "404": (status("404 Not Found"), Expected("abandoned", 1, 404)),
    "410": (status("410 Gone"), Expected("abandoned", 1, 410)),
    "429": (status("429 Slow down"), Expected("abandoned", AGAIN, 429)),
    "429, in 7 s": (status("429 Slow down", "Retry-After: 7"), Expected("abandoned", AGAIN, 429)),
    "503, at a date": (status("503 No", f"Retry-After: {SOON}"), Expected("abandoned", AGAIN, 503)),
    "500": (status("500 Oh", body=b"oh no"), Expected("abandoned", AGAIN, 500, "^oh no$")),
    "599": (status("599 Oh"), Expected("abandoned", AGAIN, 599)),
    "500, gzip bomb": (
        status("500 Oh", "Content-Encoding: gzip", body=BOMB),
        Expected("abandoned", AGAIN, 500, "^.{1,200}$"),
    ),
    "500, endless body": (endless_body, Expected("abandoned", AGAIN, 500, "^(never again ){16}never ag$")),
    "500, reset mid-body": (resets_mid_body, Expected("abandoned", AGAIN, 500, "^half|^$")),
    "reset before headers": (resets_before_headers, Expected("abandoned", AGAIN, error="connection")),
    "reset at once": (resets_at_once, Expected("abandoned", AGAIN, error="connection")),
    "closed before headers": (says(b""), Expected("abandoned", AGAIN, error="closed before an answer")),
    "garbage": (
        says(b"220 mail.example ESMTP\r\n\r\n"),
        Expected("abandoned", AGAIN, error="no HTTP answer"),
    ),
    "huge header": (
        says(b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 200_000 + b"\r\n\r\n"),
        Expected("abandoned", AGAIN, error="no HTTP answer"),
    ),
    "endless headers": (
        says(b"HTTP/1.1 200 OK\r\n", *[b"X-%d: x\r\n" % n for n in range(20_000)]),
        Expected("abandoned", AGAIN, error="no HTTP answer|closed before"),
    ),
}
TIMES: dict[str, tuple[Talk, Expected]] = {
    "slow headers": (slow_headers, Expected("abandoned", AGAIN, error="no answer within 0.1 s")),
    "no answer": (no_answer, Expected("abandoned", AGAIN, error="no answer within 0.1 s")),
    "503, slow body": (slow_body, Expected("abandoned", AGAIN, 503, "^busy,$")),
}


async def outcome(db: Database, url: str, settings: Any = SETTINGS) -> Expected:
    async with sending(db, settings):
        (row,) = await ended(db, await deliveries(db, [url]))
    return Expected(row["status"], row["attempts"], row["http_status"], row["error"])


def assert_as(found: Expected, expected: Expected) -> None:
    assert (found.outcome, found.attempts, found.http_status) == (
        *(expected.outcome, expected.attempts, expected.http_status),
    ), found
    if expected.error is not None:
        assert re.search(expected.error, found.error or ""), found
    assert len(found.error or "") <= 200 and (found.error or "").isprintable()


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults(db: Database, fault: str) -> None:
    talk, expected = FAULTS[fault]
    async with talking(talk) as peer:
        assert_as(await outcome(db, peer.url), expected)
        assert peer.connections == expected.attempts
        await peer.all_closed()


@pytest.mark.parametrize("fault", TIMES)
async def test_faults_of_time(db: Database, fault: str) -> None:
    talk, expected = TIMES[fault]
    async with talking(talk) as peer:
        assert_as(await outcome(db, peer.url, HASTY), expected)
        await peer.all_closed()


async def test_connection_refused(db: Database) -> None:
    async with talking(status("200 OK")) as peer:
        url = peer.url
    assert_as(await outcome(db, url), Expected("abandoned", AGAIN, error="cannot connect"))


async def test_a_certificate_that_nobody_signed(db: Database) -> None:
    async with talking(status("200 OK"), tls=True) as peer:
        assert_as(await outcome(db, peer.url), Expected("abandoned", AGAIN, error="^TLS: .*self.signed"))


async def test_a_certificate_that_is_trusted(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    async with talking(status("200 OK"), tls=True) as peer:
        assert_as(await outcome(db, f"https://localhost:{peer.port}/hook"), DELIVERED)


async def test_a_certificate_of_another_host(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    async with talking(status("200 OK"), tls=True) as peer:
        assert_as(await outcome(db, peer.url), Expected("abandoned", AGAIN, error="^TLS: .*mismatch"))


async def test_no_tls_where_tls_was_asked_for(db: Database) -> None:
    async with talking(says(b"HTTP/1.1 200 OK\r\n\r\n")) as peer:
        expected = Expected("abandoned", AGAIN, error="^TLS|no answer|connection")
        assert_as(await outcome(db, peer.url.replace("http:", "https:"), HASTY), expected)


async def test_a_name_that_does_not_resolve(db: Database) -> None:
    expected = Expected("abandoned", AGAIN, error="does not resolve")
    assert_as(await outcome(db, "https://no-such-host.invalid/hook"), expected)


# --- the guard at connect time: what a name points to by then


class Names:
    """The system's resolver, but for one name: its lookups get these answers one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers, self._system = list(answers), socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *rest: Any, **named: Any) -> list[tuple[Any, ...]]:
        if host != "rebound.example":
            return list(self._system(host, port, *rest, **named))
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in self.answers.pop(0)
        ]


REACHING_IN = [
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
    *("169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "ff02::1"),
]


@pytest.mark.parametrize("address", REACHING_IN)
async def test_a_name_that_points_inwards_gets_no_connection(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    Names(monkeypatch, [address])
    async with open_session(allow_loopback=False) as session:
        answer = await attempt(session, "https://rebound.example/", b"{}", {}, ABROAD.webhooks)
    assert (answer.error, answer.final) == (REFUSED, True)


async def test_a_name_with_nothing_but_bad_addresses_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Names(monkeypatch, ["10.0.0.1", "::1", "192.168.0.1"])
    async with open_session(allow_loopback=False) as session:
        answer = await attempt(session, "https://rebound.example/", b"{}", {}, ABROAD.webhooks)
    assert (answer.error, answer.final) == (REFUSED, True)


ODD = ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "017700000001", "localhost"]


@pytest.mark.parametrize("host", ODD)
async def test_no_notation_leads_to_this_machine(host: str) -> None:
    """Past the check of the URL: the guard alone, by the system's resolver."""
    async with talking(status("200 OK")) as peer, open_session(allow_loopback=False) as session:
        answer = await attempt(session, f"http://{host}:{peer.port}/", b"{}", {}, ABROAD.webhooks)
        assert (answer.error or "").startswith("refused: ") and answer.final and peer.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_witness_without_the_guard_this_machine_is_reached(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(guard.Guard, "_allows", lambda *_: True)
    async with talking(status("200 OK")) as peer, open_session(allow_loopback=False) as session:
        answer = await attempt(session, f"http://{host}:{peer.port}/", b"{}", {}, ABROAD.webhooks)
        assert answer.delivered and peer.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_url_that_was_accepted_under_another_setting_is_refused_before_it_is_called(
    db: Database, host: str
) -> None:
    async with talking(status("200 OK")) as peer:
        found = await outcome(db, f"https://{host}:{peer.port}/hook", ABROAD)
        assert_as(found, Expected("abandoned", 1, error="^refused: "))
        assert peer.connections == 0


async def test_a_name_that_changes_between_check_and_connect_gets_no_connection(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    async with talking(status("200 OK")) as peer:
        url = f"https://rebound.example:{peer.port}/hook"
        await check_webhook_url(url, allow_localhost=False)
        found = await outcome(db, url, ABROAD)
        assert names.answers == [] and peer.connections == 0
    assert_as(found, Expected("abandoned", 1, error=f"^{REFUSED}$"))


async def test_ipv6(db: Database) -> None:
    async with receiving(host="::1") as receiver:
        assert_as(await outcome(db, f"{receiver.url}/hook"), DELIVERED)


# --- connections


async def test_a_kept_connection_that_the_receiver_closed_is_no_failed_attempt(db: Database) -> None:
    """It answers one request and keeps the connection; when the next one comes on it, it hangs up."""
    answered: list[Peer] = []

    async def forgets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        answered.append(peer)
        await read_request(reader)

    async with talking(forgets) as peer, sending(db, SETTINGS):
        for number in range(1, 5):
            (row,) = await ended(db, await deliveries(db, [peer.url]))
            assert (row["status"], row["attempts"]) == ("delivered", 1)
            assert peer.connections == len(answered) == number


async def test_a_healthy_receiver_keeps_its_connection(db: Database) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with talking(answers) as peer, sending(db, SETTINGS):
        for _ in range(4):
            await ended(db, await deliveries(db, [peer.url]))
        assert peer.connections == 1


async def test_failed_attempts_leave_no_connection_open(db: Database) -> None:
    """Each answer promises more than it sends and keeps the connection: only the sender can close it."""

    async def promises(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\n" + b"x" * 5000)
        await reader.read()

    async with talking(promises) as peer, sending(db, SETTINGS):
        await ended(db, await deliveries(db, [peer.url] * 20))
        await peer.all_closed()
        assert peer.connections == 20 * AGAIN
