"""A relay in front of PostgreSQL that can be cut: whoever is behind it sees a database that is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

PORT = 5432

Ear = Callable[[bytes], None]


class Proxy:
    """Relays a Unix socket to the server of a DSN. While `cut`, connections are closed as they come."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.target, self.folder = dsn, folder
        self.is_cut = False
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        """The target's DSN, by way of the relay."""
        parts = urlsplit(self.target)
        user, at, _ = parts.netloc.rpartition("@")
        return f"postgresql://{user}{at}{parts.path}?host={self.folder}&port={PORT}"

    def ears(self) -> tuple[Ear, Ear]:
        """What hears the bytes of a new connection: those to the server, and those from it."""
        return _deaf, _deaf

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self.is_cut = True
        for relay in self._relays:
            relay.cancel()

    def mend(self) -> None:
        """Accept connections again."""
        self.is_cut = False

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        """Listen for as long as the block runs."""
        server = await asyncio.start_unix_server(self._accept, self.folder / f".s.PGSQL.{PORT}")
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._relays, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        relay = asyncio.ensure_future(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        try:
            asked, answered = self.ears()
            ways = (_copy(reader, far_writer, asked), _copy(far_reader, writer, answered))
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            far_writer.transport.abort()
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.target)
        query = dict(parse_qsl(parts.query))
        port = int(query.get("port") or parts.port or PORT)
        host = query.get("host") or parts.hostname or "localhost"
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


def _deaf(_: bytes) -> None:
    """Nobody listens."""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Ear) -> None:
    while chunk := await reader.read(65536):
        heard(chunk)
        writer.write(chunk)
        await writer.drain()
