"""Hearing wake-ups: one LISTEN connection for a process.

A wake-up is a hint that something may have happened. Clear the flag, then look: a ring that lands during the
look sets it again and the next wait returns at once. In the other order it would be wiped out.

    tasks = wakeups.subscribe("annals_tasks")
    while True:
        tasks.clear()
        look()
        await tasks.wait(poll_interval_seconds)

What rang while the connection was away is not repeated by PostgreSQL. After every (re)connect, once LISTEN is
in force, each subscriber is set with the payload EVERYTHING: it looks from the start.
"""

import asyncio
import logging
import random
import secrets
from contextlib import suppress
from typing import Any, Self

import asyncpg

from service.sections import WakeupSettings
from service.store.background import Background
from service.store.doorbell import Doorbell
from service.store.errors import LOST
from service.store.pool import CONNECT_SECONDS, close_quietly
from service.store.queries import load
from service.store.wire import Connection

__all__ = ["EVERYTHING", "Doorbell", "Wakeup", "Wakeups"]

logger = logging.getLogger(__name__)

SQL = load(__package__)
EVERYTHING = "*"
SELF_TEST = "annals_self_test"
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 3.0
Payloads = set[str]


class Wakeup:
    """One subscriber's flag, with what was rung since it last asked."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self._flag = asyncio.Event()
        self._payloads: Payloads = set()

    def set(self, payload: str = "") -> None:
        """Ring; many rings are one."""
        self._payloads.add(payload)
        self._flag.set()

    def clear(self) -> None:
        """Take the flag down: before looking, never after."""
        self._flag.clear()

    def is_set(self) -> bool:
        """Whether it rang since the last clear."""
        return self._flag.is_set()

    def payloads(self) -> Payloads:
        """What was rung since the last call; EVERYTHING when anything may have been."""
        drained, self._payloads = self._payloads, Payloads()
        return drained

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it rings, at most `timeout` seconds; False when the time ran out."""
        if self._flag.is_set():
            return True
        try:
            async with asyncio.timeout(timeout):
                return await self._flag.wait()
        except TimeoutError:
            return False


class Wakeups:
    """The listening connection, kept up from start() to stop(). `dsn` must not lead through a pooler.

    Subscribing is possible at any time, also before start(). stop() may come before start(), twice, and at
    any moment of a reconnect.
    """

    # A notification arrives within milliseconds; a server that is this late is stuck or gone.
    self_test_patience = 5.0

    def __init__(self, dsn: str, settings: WakeupSettings) -> None:
        self._dsn, self._settings = dsn, settings
        self._wakeups: dict[str, list[Wakeup]] = {}
        self._changed = asyncio.Event()
        self._lost = asyncio.Event()
        self._test = Wakeup(SELF_TEST)
        self._background = Background("wakeups", self.run)
        self.connected = asyncio.Event()
        self.reconnects = 0

    def subscribe(self, channel: str) -> Wakeup:
        """A flag that is set by each NOTIFY on the channel, and after each (re)connect."""
        wakeup = Wakeup(channel)
        self._wakeups.setdefault(channel, []).append(wakeup)
        self._changed.set()
        return wakeup

    def unsubscribe(self, wakeup: Wakeup) -> None:
        """Forget a flag; the channel stays listened to."""
        with suppress(ValueError):
            self._wakeups.get(wakeup.channel, []).remove(wakeup)

    def start(self) -> None:
        """Begin to listen; returns at once, `connected` tells when. A second call does nothing."""
        self._background.start()

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        await self._background.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def run(self) -> None:
        """Listen until cancelled, connecting again with a growing pause whenever the connection is lost."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen()
            except LOST as error:
                was_connected = self.connected.is_set()
                pause = FIRST_PAUSE if was_connected else min(pause * 2, LONGEST_PAUSE)
                level = logging.WARNING if was_connected or pause == LONGEST_PAUSE else logging.INFO
                fields = {"error": str(error) or type(error).__name__, "pause_seconds": pause}
                logger.log(level, "listening connection lost", extra={"fields": fields})
            finally:
                self.connected.clear()
            self.reconnects += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _listen(self) -> None:
        """One connection from its beginning to its end; never returns, raises one of LOST."""
        self._lost = asyncio.Event()
        connection = await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "annals wake-ups"},
        )
        connection.add_termination_listener(lambda _: self._lost.set())
        try:
            listened: set[str] = set()
            await self._listen_to(connection, {SELF_TEST}, listened)
            await self._prove(connection)
            while True:
                self._changed.clear()
                await self._listen_to(connection, set(self._wakeups) | {SELF_TEST}, listened)
                self.connected.set()
                if not await self._undisturbed(self._settings.self_test_seconds):
                    await self._prove(connection)
        finally:
            await close_quietly(connection)

    async def _listen_to(self, connection: Connection, channels: set[str], listened: set[str]) -> None:
        for channel in channels - listened:
            await connection.add_listener(channel, self._heard)
            listened.add(channel)
            # In force now: whatever rang before is made up for by looking at everything.
            self._heard(connection, 0, channel, EVERYTHING)

    def _heard(self, _: Any, __: int, channel: str, payload: object) -> None:
        for wakeup in (self._test,) if channel == SELF_TEST else tuple(self._wakeups.get(channel, ())):
            wakeup.set(str(payload))

    async def _undisturbed(self, seconds: float) -> bool:
        """Wait for a new subscription: False when time ran out. Raises when the connection ends."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, self._lost)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._lost.is_set():
            raise ConnectionResetError("the server ended the connection")
        return self._changed.is_set()

    async def _prove(self, connection: Connection) -> None:
        """Ring at ourselves. A connection that is half open, or behind a pooler, does not hear it."""
        token = secrets.token_hex(8)
        self._test.payloads()
        async with asyncio.timeout(self.self_test_patience):
            await connection.execute(SQL.ring, [SELF_TEST], [token])
        while token not in self._test.payloads():
            self._test.clear()
            if not await self._test.wait(self.self_test_patience):
                logger.error(
                    "the listening connection does not hear its own NOTIFY; if database.url leads through a "
                    "transaction pooler, set database.listen_url to a direct connection"
                )
                raise ConnectionResetError("the self-test failed")
