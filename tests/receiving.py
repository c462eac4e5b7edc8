"""Receivers of webhooks for tests: one that answers as it is told, and one that talks TCP as badly as wanted.

`deliveries(db, urls)` makes deliveries the way production does: a task that ended, and what is asked for it.
"""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from asyncpg import Record

from service.relay.sending.sender import Sender
from service.settings import Settings
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.store.wakeups import Wakeups

SELF_SIGNED = Path(__file__).parent / "self_signed.pem"
REQUEST = """
    SELECT count(*) FROM request_webhooks(
        ARRAY(SELECT position FROM events WHERE type = 'task.cancelled' AND stream_id = ANY ($1)))
"""
REQUESTED = """
    SELECT delivery_id FROM webhook_deliveries WHERE task_id = ANY ($1) ORDER BY array_position($1, task_id)
"""
ROWS = (
    "SELECT * FROM webhook_deliveries WHERE delivery_id = ANY ($1) ORDER BY array_position($1, delivery_id)"
)
LEAD = "SELECT leads_term FROM lead_relay($1, 'here', 1, NULL, 600)"
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Hit:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sequence(self) -> int:
        return int(self.headers["webhook-sequence"])

    @property
    def told(self) -> Any:
        return json.loads(self.body)


Answering = Callable[[Hit], Awaitable[web.Response]]


async def take_it(_: Hit) -> web.Response:
    return web.Response()


class Receiver:
    """Keeps what arrives, in order; `answer` says what to do with it. `most_open` counts by path."""

    def __init__(self, answer: Answering = take_it) -> None:
        self.answer, self.hits, self.url = answer, list[Hit](), ""
        self.most_open: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._moved = asyncio.Condition()

    def to(self, path: str, number: int | None = None) -> list[Hit]:
        return [hit for hit in self.hits if hit.path == path][:number]

    async def arrived(self, number: int, path: str | None = None) -> list[Hit]:
        """Wait until so many arrived (at a path)."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._moved:
            await self._moved.wait_for(lambda: len(self.to(path) if path else self.hits) >= number)
        return self.to(path) if path else list(self.hits)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        hit = Hit(request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read())
        self._open[hit.path] += 1
        self.most_open[hit.path] = max(self.most_open[hit.path], self._open[hit.path])
        try:
            async with self._moved:
                self.hits.append(hit)
                self._moved.notify_all()
            return await self.answer(hit)
        finally:
            self._open[hit.path] -= 1


@asynccontextmanager
async def receiving(answer: Answering = take_it, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver, app = Receiver(answer), web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.url = f"http://{'[::1]' if ':' in host else host}:{port}"
        yield receiver
    finally:
        await runner.cleanup()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A TCP server that says what it is told to; `connections` counts, `gone` is set at each end of one."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.connections, self.url, self.port = talk, 0, "", 0
        self.open = 0
        self.moved = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self.talk(reader, writer)
        except OSError:
            pass  # the other side went first
        finally:
            writer.close()
            self.open -= 1
            self.moved.set()

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.open:
                self.moved.clear()
                await self.moved.wait()


@asynccontextmanager
async def talking(talk: Talk, tls: bool = False) -> AsyncIterator[Peer]:
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SELF_SIGNED)
    peer = Peer(talk)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    peer.url = f"{'https' if tls else 'http'}://127.0.0.1:{peer.port}"
    try:
        yield peer
    finally:
        server.close()
        await peer.all_closed()
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """The whole of a request with Content-Length; its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
    return await reader.readexactly(length)


async def deliveries(db: Database, urls: Sequence[str], trace: str | None = None) -> list[str]:
    """One ended task for each URL, in this order; gives the ids of the deliveries that were asked for."""
    await db.fetchval("SELECT publish_task_types($1)", [{"task_type": "noop", "code_version": "1"}])
    tasks = TaskStore(db)
    made = await tasks.enqueue(
        [{"task_type": "noop", "webhook_url": url} for url in urls],
        actor="psql:test",
        ring=False,
        trace=trace,
    )
    ids = [each.task_id for each in made if each.task_id]
    assert len(ids) == len(urls), made
    await tasks.cancel(ids, actor="psql:test")
    await db.fetchval(REQUEST, ids)
    return [row[0] for row in await db.fetch(REQUESTED, ids)]


async def ended(db: Database, delivery_ids: Sequence[str]) -> list[Record]:
    """The rows of deliveries, in this order, once none of them is to be sent any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows = await db.fetch(ROWS, delivery_ids)
            if all(row["status"] != "pending" for row in rows):
                return rows
            await asyncio.sleep(0.005)  # written by the sender, which rings nobody for it


@asynccontextmanager
async def sending(db: Database, settings: Settings, relay_id: str = "r-1") -> AsyncIterator[Sender]:
    """A sender that leads, within the block; nothing of it is left afterwards."""
    term = await db.fetchval(LEAD, relay_id)
    async with Doorbell(db, settings.wakeup) as bell, Wakeups(db.dsn, settings.wakeup) as wakeups:
        sender = Sender(db, settings, wakeups.subscribe("annals_webhooks"), bell, relay_id)
        sender.steps.watch()
        task = asyncio.create_task(sender.run(term), name="webhook sender")
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None, task.exception()
            await db.fetchval("SELECT leave_relay($1, $2)", relay_id, term)
    assert not [left for left in asyncio.all_tasks() if left.get_name().startswith("webhook")]
