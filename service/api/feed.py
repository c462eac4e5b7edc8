"""The live end of the log, read once per process and shared by every open stream.

The feed keeps the last settled events in memory, rendered. A client keeps only its position: while it stands
within what is in memory it reads there; when it is slower than that, or asks for the past, it reads the log
itself. So a client that does not read costs one socket's buffer, and nobody misses an event.

Positions mean something only within one epoch of the log. After every interruption the feed looks whether it
still reads the same log. Clients that began in another epoch are told to begin anew; all of them are, and
`generation` moves, when the log ends before what was read of it.
"""

import asyncio
import bisect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.api.event_models import Cursor, Entry, EventFilter, render
from service.api.log_reads import Log
from service.errors import DatabaseUnavailable
from service.store.wakeups import EVERYTHING, Wakeup

logger = logging.getLogger(__name__)

BATCH = 1000
MOST_BYTES = 16 * 1024 * 1024
POLL_SECONDS = 1.0
PAUSE_SECONDS = 0.1
READERS = 4


@dataclass(frozen=True, slots=True)
class Head:
    """A place in a log."""

    epoch: str
    position: int


class Feed:
    """Run `run()` under a supervisor; `close()` ends every stream."""

    def __init__(self, log: Log, wakeup: Wakeup) -> None:
        self.generation = 0
        self.closed = False
        # What streams have put together of the entries, for others that stand at the same place.
        self.told: dict[tuple[int, str, int, int], bytes] = {}
        self._log = log
        self._wakeup = wakeup
        self._head: Head | None = None
        self._last: Head | None = None  # where it stood before an interruption
        self._entries: list[Entry] = []
        self._floor = 0  # every settled event after this position, up to the head, is in _entries
        self._bytes = 0
        self._clients = 0
        self._grown = asyncio.Event()
        self._past = asyncio.Semaphore(READERS)

    @contextmanager
    def client(self) -> Iterator[None]:
        """Count a stream for as long as it is open: without any, nothing is read."""
        self._clients += 1
        self._wakeup.set()
        try:
            yield
        finally:
            self._clients -= 1

    async def run(self) -> None:
        """Read the end of the log while anybody listens. Raises what nobody expected."""
        while not self.closed:
            # Clear, then look: what rings during the look must not be lost.
            self._wakeup.clear()
            if EVERYTHING in self._wakeup.payloads():
                self._forget()  # connections were lost, perhaps to another server: look whose log this is
            more = False
            try:
                more = self._clients > 0 and await self._advance()
            except DatabaseUnavailable:
                logger.warning("event feed waits for the database")
                self._forget()
            if not self._clients:
                self._forget()
                self._last = None
            if not more:
                await self._wakeup.wait(POLL_SECONDS)

    def close(self) -> None:
        """End every stream; may be called twice."""
        self.closed = True
        self._wakeup.set()
        self._tell()

    def is_another(self, epoch: str | None, generation: int) -> bool:
        """Whether the log is another one than a stream of this epoch and generation began with."""
        return generation != self.generation or (self._head is not None and self._head.epoch != epoch)

    async def place(self, after: Cursor | None) -> tuple[Cursor, bool]:
        """Where a stream begins: after a cursor, or at the end; True when the cursor is of another log.

        Raises DatabaseUnavailable.
        """
        epoch, end = await self._log.epoch(), await self._log.last_position()
        if self._head is not None and self._head.epoch != epoch:
            self._forget()
            self._wakeup.set()
        is_reset = after is not None and (after.epoch not in (None, epoch) or after.position > end)
        if after is None or is_reset:
            return Cursor(epoch, await self._log.stable_position()), is_reset
        return Cursor(epoch, after.position), False

    async def read(self, position: int, wanted: EventFilter, timeout: float) -> tuple[list[Entry], int]:
        """Wanted events after a position, and the position up to which nothing was left out.

        At once when there are any, else what comes within `timeout` seconds. Raises DatabaseUnavailable.
        """
        if self._head is None or position < self._floor:
            async with self._past:
                found = await self._log.search(position, BATCH, **wanted.as_search())
            if found.position > position:
                return [render(event) for event in found.events], found.position
            # What is settled may seem less for a moment, while a writer begins: look again soon.
            timeout = min(timeout, PAUSE_SECONDS) if self._head else timeout
        if not self._new_since(position) and not self.closed:
            await self._growth(timeout)
        if self._head is None or position < self._floor:
            return [], position
        new = self._new_since(position)
        last = new[-1].position if new else position
        return new if wanted.is_everything else [entry for entry in new if wanted.takes(entry)], last

    async def _growth(self, timeout: float) -> None:
        grown = self._grown
        try:
            async with asyncio.timeout(timeout):
                await grown.wait()
        except TimeoutError:
            return

    def _new_since(self, position: int) -> list[Entry]:
        start = bisect.bisect_right(self._entries, position, key=lambda entry: entry.position)
        return self._entries[start : start + BATCH]

    async def _advance(self) -> bool:
        """Read what is new; True when there may be more."""
        head = self._head or await self._begin()
        events = await self._log.events_after(head.position, BATCH)
        if events:
            entries = [render(event) for event in events]
            self._entries += entries
            self._bytes += sum(len(entry.data) for entry in entries)
            self._head = Head(head.epoch, events[-1].position)
            self._trim()
            self._tell()
        return len(events) == BATCH

    async def _begin(self) -> Head:
        """Start, also after an interruption: another epoch, or a head that moved back, is another log."""
        log = self._log
        epoch, end, settled = await log.epoch(), await log.last_position(), await log.stable_position()
        if self._last is not None and epoch != self._last.epoch:
            logger.warning("the log has another epoch than before: its streams begin anew")
        elif self._last is not None and end < self._last.position:
            self.generation += 1
            logger.warning("the log ends before what was read of it: all streams begin anew")
        self._head = head = Head(epoch, settled)
        self._floor = settled
        self._tell()
        return head

    def _forget(self) -> None:
        if self._head is not None:
            self._last, self._head = self._head, None
            self._entries, self._bytes = [], 0
            self.told.clear()

    def _trim(self) -> None:
        """When it is too much, forget half of it at once, so that this is rare."""
        if self._bytes <= MOST_BYTES:
            return
        cut = 0
        while self._bytes > MOST_BYTES // 2 and cut < len(self._entries) - 1:
            self._bytes -= len(self._entries[cut].data)
            cut += 1
        self._floor = self._entries[cut - 1].position
        del self._entries[:cut]

    def _tell(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
