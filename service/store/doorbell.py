"""Ringing wake-ups after the commit: a NOTIFY inside a writing transaction makes commits take turns.

A ring is heard at once when its bell was silent for an interval; further rings within the interval are one
ring at its end. Each bell is a (channel, payload). A ring that is lost costs one poll interval, never a task.
"""

import asyncio
import logging
from typing import Self

from service.sections import WakeupSettings
from service.store.background import Background
from service.store.errors import LOST
from service.store.pool import Database, Session
from service.store.queries import load

logger = logging.getLogger(__name__)

SQL = load(__package__)
Bell = tuple[str, str]
PAUSE_SECONDS = 0.5
# Bells that fell silent are forgotten when there are so many: each cancelled task has one of its own.
MANY_BELLS = 1000


class Doorbell:
    """Rings over a connection of its own. start() it, or `async with` it; stop() may come early and twice."""

    def __init__(self, db: Database, settings: WakeupSettings) -> None:
        self._db = db
        self._interval = settings.ring_interval_ms / 1000
        self._waiting: set[Bell] = set()
        self._rung_at: dict[Bell, float] = {}
        self._pushed = asyncio.Event()
        self._background = Background("doorbell", self.run)
        self._stopping = False
        self.rings = 0

    def ring(self, channel: str, payload: str = "") -> None:
        """Ring after your commit; returns at once."""
        self._waiting.add((channel, payload))
        self._pushed.set()

    def start(self) -> None:
        """Begin to ring what was and will be pushed. A second call does nothing."""
        self._stopping = False
        self._background.start()

    async def stop(self) -> None:
        """Ring what waits, then stop; what cannot be rung within a second is left."""
        self._stopping = True
        self._pushed.set()
        await self._background.stop(grace_seconds=1.0)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def run(self) -> None:
        """Ring until stopped; a lost connection is made again, and what waits is rung then."""
        while True:
            rings = self.rings
            try:
                async with self._db.session() as session:
                    return await self._ring_on(session)
            except LOST as error:
                logger.info("the doorbell connects again", extra={"fields": {"error": str(error)}})
            if self.rings == rings:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _ring_on(self, session: Session) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            due = [bell for bell in self._waiting if self._stopping or self._next_ring(bell) <= now]
            if due:
                await self._send(session, due, now)
                continue
            if self._stopping:
                return
            soonest = min(map(self._next_ring, self._waiting), default=None)
            self._pushed.clear()
            try:
                async with asyncio.timeout_at(soonest):
                    await self._pushed.wait()
            except TimeoutError:
                continue

    def _next_ring(self, bell: Bell) -> float:
        return self._rung_at.get(bell, -1.0) + self._interval

    async def _send(self, session: Session, bells: list[Bell], now: float) -> None:
        """One statement for all of them. Pushed again meanwhile, a bell rings again after its interval."""
        self._waiting.difference_update(bells)
        try:
            await session.fetch(SQL.ring, [bell[0] for bell in bells], [bell[1] for bell in bells])
        except LOST:
            self._waiting.update(bells)
            raise
        self.rings += 1
        self._rung_at.update((bell, now) for bell in bells)
        if len(self._rung_at) > MANY_BELLS:
            recent = now - self._interval
            self._rung_at = {bell: at for bell, at in self._rung_at.items() if at > recent}
