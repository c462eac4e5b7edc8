"""The API while its database is away, and after it is back."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.api_server import KEY, running

CALLS = [
    ("GET", "/tasks", None),
    ("POST", "/tasks", {"task_type": "noop"}),
    ("POST", "/tasks/bulk", {"tasks": [{"task_type": "noop"}]}),
    ("GET", "/tasks/x", None),
    ("GET", "/tasks/x/events", None),
    ("DELETE", "/tasks/x", None),
    ("POST", "/tasks/x/retry", None),
    ("GET", "/events", None),
    ("GET", "/events/stream", None),
    ("GET", "/task-types", None),
    ("GET", "/workers", None),
    ("GET", "/queues", None),
    ("POST", "/queues/a/pause", None),
    ("POST", "/queues/a/resume", None),
]


class Link:
    """A way to the database that can be cut: a port of its own that leads there."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        query = dict(parse_qsl(parts.query))
        self._directory = query.get("host")
        self._target = (parts.hostname, parts.port or int(query.get("port", 5432)))
        self._user, _, _ = parts.netloc.rpartition("@")
        self._path, self._port = parts.path, 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def dsn(self) -> str:
        """The database by this way."""
        return f"postgresql://{self._user}@127.0.0.1:{self._port}{self._path}"

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break the connections there are, and take no more."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._directory:
            there = await asyncio.open_unix_connection(f"{self._directory}/.s.PGSQL.{self._target[1]}")
        else:
            there = await asyncio.open_connection(*self._target)
        self._open |= {writer, there[1]}
        await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        self._open -= {writer, there[1]}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def link(database: str) -> AsyncIterator[Link]:
    link = Link(database)
    await link.mend()
    yield link
    await link.cut()


async def test_every_route_says_that_the_database_is_away(link: Link, database: str) -> None:
    async with running(link.dsn, behind=database) as api:
        before = await api.head()
        await link.cut()
        for method, path, body in CALLS:
            answer = await api.call(method, path, body)
            assert (answer.status, answer.headers.get("Retry-After")) == (503, "2"), (method, path, answer)
            assert answer.json["type"] == "urn:annals:database_unavailable"
            assert "127.0.0.1" not in json.dumps(answer.json), "an address leaked"
        assert (await api.call("GET", "/healthz")).status == 200, "the process itself is well"
        ready = await api.call("GET", "/readyz")
        assert (ready.status, ready.json["database"]) == (503, False)
        assert await api.head() == before
        await link.mend()
        assert (await api.call("GET", "/tasks")).status == 200
        assert (await api.call("POST", "/tasks", {"task_type": "noop"})).status == 202


async def test_a_stream_outlives_the_outage_and_misses_nothing(link: Link, database: str) -> None:
    async with running(link.dsn, behind=database) as api:
        url = f"{api.url}/api/v1/events/stream?stream=task"
        async with api.http.get(url, headers=KEY) as response, asyncio.timeout(20):
            await response.content.readuntil(b"\n\n")
            ids = [await api.enqueue()]
            assert ids[0].encode() in await response.content.readuntil(b"\n\n")
            await link.cut()
            ids.append(await api.sql("SELECT enqueue_task('noop')"))
            await link.mend()
            while (chunk := await response.content.readuntil(b"\n\n")).startswith(b":"):
                pass
            assert ids[1].encode() in chunk


@pytest.mark.parametrize(
    "loss", ["UPDATE log_epoch SET epoch = gen_random_uuid()", "SELECT setval('events_position', 1)"]
)
async def test_a_stream_is_told_that_the_log_is_another_one(link: Link, database: str, loss: str) -> None:
    """As after a failover that lost the last events, whose positions are then handed out again."""
    async with running(link.dsn, behind=database) as api:
        for _ in range(3):
            await api.enqueue()
        async with (
            api.http.get(f"{api.url}/api/v1/events/stream", headers=KEY) as response,
            asyncio.timeout(20),
        ):
            await response.content.readuntil(b"\n\n")
            await api.enqueue()
            assert b"task.enqueued" in await response.content.readuntil(b"\n\n")
            await link.cut()
            await api.sql(loss)
            await link.mend()
            while (chunk := await response.content.readuntil(b"\n\n")).startswith(b":"):
                pass
            assert b"\nevent: reset\n" in chunk
            epoch = str(await api.sql("SELECT epoch FROM log_epoch"))
            assert chunk.startswith(f"id: {epoch}:".encode())


async def test_it_is_ready_once_everything_is_there(database: str) -> None:
    async with running(database) as api:
        while (ready := await api.call("GET", "/readyz")).status != 200:
            pass
        assert ready.json == {"status": "ok", "database": True, "migrations": True, "wakeups": True}


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json"])
async def test_the_documentation_needs_neither_key_nor_database(link: Link, database: str, path: str) -> None:
    async with running(link.dsn, behind=database) as api:
        await link.cut()
        async with api.http.get(api.url + path) as response:
            assert response.status == 200
