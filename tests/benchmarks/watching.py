"""Clients of the live stream of events, in a process of their own, that do nothing but count what comes."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

REQUEST = "GET /api/v1/events/stream HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n"
# A heartbeat has an id too, but no data; what is inside of the data has its newlines escaped.
MESSAGE = re.compile(rb"id: [0-9a-f-]{36}:(\d+)\ndata: ")
LONGEST_HEAD = 100
PATIENCE_SECONDS = 300


class Watcher(asyncio.Protocol):
    """One stream, and the positions of the events that came, in their order."""

    def __init__(self, host: str) -> None:
        self._request, self._rest = REQUEST.format(host).encode(), b""
        self.positions: list[int] = []
        self.is_open = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the positions out of what came, and keep the head of a message that is not all there."""
        text, end = self._rest + data, 0
        for found in MESSAGE.finditer(text):
            self.positions.append(int(found[1]))
            end = found.end()
        self._rest = text[max(end, len(text) - LONGEST_HEAD) :]
        if b"retry:" in text:
            self.is_open.set()

    @property
    def last(self) -> int:
        """How far it has come."""
        return self.positions[-1] if self.positions else 0

    def seen(self, after: int, until: int) -> int:
        """How many events of a stretch came; -1 when one came twice, or out of order."""
        stretch = [position for position in self.positions if after < position <= until]
        return len(stretch) if all(a < b for a, b in pairwise(stretch)) else -1


class Watchers:
    """The parent's end: `seen` asks what all of them have seen."""

    def __init__(self, pipe: "Connection[tuple[int, int], list[int]]") -> None:
        self._pipe = pipe

    async def seen(self, after: int, until: int) -> list[int]:
        """Wait until everybody has come to a position; how many events of the stretch each has seen."""
        self._pipe.send((after, until))
        return await asyncio.to_thread(self._pipe.recv)


@contextmanager
def watchers(url: str, number: int) -> Iterator[Watchers]:
    """So many open streams, for as long as the block runs."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_watch, args=(url, number, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield Watchers(ours)
    finally:
        process.terminate()
        process.join()


def _watch(url: str, number: int, pipe: "Connection[list[int], tuple[int, int]]") -> None:
    asyncio.run(_main(url, number, pipe))


async def _main(url: str, number: int, pipe: "Connection[list[int], tuple[int, int]]") -> None:
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    all_of_them = [Watcher(parts.netloc) for _ in range(number)]
    for watcher in all_of_them:
        await loop.create_connection(lambda watcher=watcher: watcher, parts.hostname, parts.port)
        await watcher.is_open.wait()
    pipe.send([])
    while True:
        after, until = await asyncio.to_thread(pipe.recv)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at and any(watcher.last < until for watcher in all_of_them):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the callbacks of fifty connections are cheaper without an event
        pipe.send([watcher.seen(after, until) for watcher in all_of_them])
