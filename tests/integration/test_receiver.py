"""The receiver over real HTTP: what it takes, refuses and answers, and what `annals webhooks listen` says."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook

from service.errors import Invalid
from service.receiver.answers import Answers
from service.receiver.arrival import Arrival
from service.receiver.secrets import GivenKeys, StoredKeys
from service.receiver.server import Keys, Receiver
from service.settings import load
from service.store.deliveries import DeliveryStore
from service.store.pool import Database
from service.store.webhook_secrets import key_of, new_secret
from tests.listening import DidNotStart, listening

SECRET, OTHER = new_secret(), new_secret()


class Sender:
    """Sends webhooks as the standard asks, signed by an independent implementation."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self.url = http, url

    async def send(
        self, number: int, *, secret: str = SECRET, path: str = "/hook", delivery: str = "", **changed: str
    ) -> int:
        """The status of the answer."""
        delivery = delivery or f"wh-{number}"
        body = json.dumps({"task_id": f"t-{number}", "status": "completed"})
        now = datetime.now(UTC)
        agent = hmac.new(key_of(secret), body.encode(), hashlib.sha256).hexdigest()
        headers = {
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(delivery, now, body),
            "webhook-sequence": str(number),
            "X-Agent-Signature": f"sha256={agent}",
        }
        async with self._http.post(self.url + path, data=body.encode(), headers=headers | changed) as answer:
            return answer.status


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession() as http:
        yield Sender(http, url)


@asynccontextmanager
async def receiving(
    keys: Keys | None = None, answers: Answers = Answers(), most_bytes: int = 10_000
) -> AsyncIterator[tuple[Receiver, Sender, list[Arrival]]]:
    arrivals: list[Arrival] = []
    keys = keys or GivenKeys([SECRET])
    receiver = Receiver(keys, answers, arrivals.append, most_bytes=most_bytes)
    async with receiver.receiving("127.0.0.1", 0) as port, aiohttp.ClientSession() as http:
        yield receiver, Sender(http, f"http://127.0.0.1:{port}"), arrivals


async def test_it_takes_what_is_signed_and_says_what_came_before() -> None:
    async with receiving() as (receiver, sender, arrivals):
        assert [await sender.send(number) for number in (1, 2, 2, 4, 3)] == [204] * 5
        assert await sender.send(1, path="/other?token=x") == 204
    assert [each.verdict for each in arrivals] == ["verified"] * 6
    assert [each.news for each in arrivals] == ["new", "new", "duplicate", "new", "new", "duplicate"]
    assert [each.order for each in arrivals] == ["", "", "", "gap: 3 not here yet", "late", ""]
    assert {each.endpoint.split("/", 3)[3] for each in arrivals} == {"hook", "other"}
    assert arrivals[0].task_id == "t-1" and arrivals[0].status == "completed"
    assert receiver.ledger.missing() == {} and receiver.counts["duplicate"] == 2


async def test_what_is_forged_is_refused_and_changes_nothing_in_the_books() -> None:
    async with receiving() as (receiver, sender, arrivals):
        assert await sender.send(1) == 204
        assert await sender.send(900, secret=OTHER) == 401
        assert await sender.send(900, **{"webhook-sequence": "901", "webhook-id": "wh-x"}) == 401
        assert await sender.send(900, **{"webhook-signature": ""}) == 401
        assert await sender.send(2) == 204
    assert [each.verdict for each in arrivals] == [
        "verified",
        "bad signature",
        "bad signature",
        "unsigned",
        "verified",
    ]
    assert receiver.ledger.missing() == {} and receiver.counts["bad"] == 3


async def test_a_body_over_the_bound_is_not_read() -> None:
    async with receiving(most_bytes=1000) as (receiver, sender, _), aiohttp.ClientSession() as http:
        async with http.post(sender.url, data=b"x" * 2000) as answer:
            assert answer.status == 413
        assert receiver.counts["received"] == 0
        assert await sender.send(1) == 204


async def test_it_fails_each_delivery_as_often_as_it_is_told() -> None:
    async with receiving(answers=Answers(first=2)) as (receiver, sender, arrivals):
        statuses = [await sender.send(number) for number in (1, 2, 1, 1, 2, 2, 1)]
    assert statuses == [503, 503, 503, 204, 503, 204, 204]
    assert [each.news for each in arrivals] == ["new", "new", "retry", "retry", "retry", "retry", "duplicate"]
    assert receiver.ledger.deliveries == 2 and receiver.counts["refused"] == 4


async def test_one_that_hangs_answers_nobody_and_still_ends() -> None:
    asked = asyncio.Event()
    receiver = Receiver(GivenKeys([SECRET]), Answers(hang=True), lambda _: asked.set())
    async with aiohttp.ClientSession() as http:
        async with receiver.receiving("127.0.0.1", 0) as port:
            sender = Sender(http, f"http://127.0.0.1:{port}")
            sending = asyncio.create_task(sender.send(1))
            await asked.wait()
            assert not sending.done()
        assert await sending == 503, "let go at the end"


async def test_a_port_that_is_taken_is_told() -> None:
    async with receiving() as (_, sender, _):
        port = int(sender.url.rsplit(":", 1)[1])
        with pytest.raises(Invalid, match=f"port {port}"):
            async with Receiver(GivenKeys(), Answers(), print).receiving("127.0.0.1", port):
                pass


async def test_secrets_of_the_database_are_found_by_endpoint_and_follow_a_rotation(database: str) -> None:
    async with await Database.open(load({"environment": "test"}).database, database) as db:
        store = DeliveryStore(db)
        async with receiving(StoredKeys(db)) as (_, sender, arrivals):
            assert await sender.send(1) == 204 and arrivals[-1].verdict == "unverified"
            await store.rotate_secret("default", SECRET, 0, None, actor="test")
            await store.rotate_secret(f"endpoint:{sender.url}/own", OTHER, 0, None, actor="test")
            assert await sender.send(1) == 204 and arrivals[-1].verdict == "verified"
            assert await sender.send(2, path="/own") == 401
            assert await sender.send(2, path="/own", secret=OTHER) == 204
            renewed = new_secret()
            await store.rotate_secret("default", renewed, 0, None, actor="test")
            assert await sender.send(3, secret=renewed) == 204
            assert await sender.send(4) == 401


async def test_a_secret_of_an_api_key_signs_what_that_key_enqueued(database: str) -> None:
    async with await Database.open(load({"environment": "test"}).database, database) as db:
        await db.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
        await db.fetch("SELECT create_key('shop', sha256('shop'), '{write}')")
        store = DeliveryStore(db)
        await store.rotate_secret("default", SECRET, 0, None, actor="test")
        await store.rotate_secret("key:shop", OTHER, 0, None, actor="test")
        async with receiving(StoredKeys(db)) as (_, sender, arrivals):
            await db.fetch(
                "SELECT enqueue_task('noop', task_id => 't', webhook_url => $1, actor => 'api:shop')",
                sender.url,
            )
            await db.fetch("SELECT cancel_task('t')")
            (row,) = await db.fetch(
                "SELECT delivery_id FROM request_webhooks(ARRAY(SELECT webhook_ends(0, 99)))"
            )
            assert await sender.send(1) == 204
            assert await sender.send(2, secret=OTHER) == 401, "nobody else's"
            assert await sender.send(3, secret=OTHER, delivery=row[0]) == 204
        assert [each.verdict for each in arrivals] == ["verified", "bad signature", "verified"]


async def test_the_command_prints_a_line_for_each_and_sums_up() -> None:
    async with listening("--secret", SECRET) as listener, sending(listener.url) as sender:
        for number in (1, 2, 2):
            assert await sender.send(number) == 204
        code, lines = await listener.end()
    assert code == 0, lines
    assert [line.split()[2:7] for line in lines[:2]] == [
        ["#1", "t-1", "completed", "verified", "204"],
        ["#2", "t-2", "completed", "verified", "204"],
    ]
    assert lines[2].endswith("duplicate")
    summary = dict(zip(lines[-2].split(), lines[-1].split(), strict=True))
    assert summary["received"] == "3" and summary["duplicate"] == "1" and summary["deliveries"] == "2"


async def test_a_gap_and_a_bad_signature_end_in_exit_code_1() -> None:
    async with listening("--secret", SECRET, "--json") as listener, sending(listener.url) as sender:
        for number in (1, 4):
            await sender.send(number)
        code, lines = await listener.end()
    assert code == 1
    *told, last = map(json.loads, lines)
    assert [each["sequence"] for each in told] == [1, 4] and told[1]["order"] == "gap: 2-3 not here yet"
    assert list(last["summary"]["missing"].values()) == [["2-3"]]
    both = ("--secret", SECRET, "--secret", OTHER)
    async with listening(*both) as listener, sending(listener.url) as sender:
        assert await sender.send(1, secret=OTHER) == 204
        assert await sender.send(2, secret=new_secret()) == 401
        code, lines = await listener.end()
    assert code == 1 and "bad signature" in lines[1]


async def test_without_secret_and_database_it_says_that_nothing_is_verified(tmp_path: Path) -> None:
    home = tmp_path / "none"
    async with listening("--fail", "410", ANNALS_ENV="development", ANNALS_HOME=str(home)) as listener:
        assert "Nothing is verified" in listener.said[0]
        async with aiohttp.ClientSession() as http:
            assert await Sender(http, listener.url).send(1) == 410
        code, lines = await listener.end()
    assert code == 0 and "unverified" in lines[0] and "410" in lines[0]
    assert not home.exists(), "no server was made for a secret"


async def test_a_secret_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(DidNotStart) as refused:
        async with listening("--secret", "whsec_p@ssword"):
            pass
    assert refused.value.code == 2
    assert "p@ssword" not in str(refused.value) and "whsec_ and base64" in str(refused.value)
