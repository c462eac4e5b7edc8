"""Following the log: the loop below every follower.

Events are read settled and in order, and done in the transaction that moves the checkpoint. When a batch
fails, it is halved until the event that fails stands alone: what comes before it is done, and the event is
tried again, then parked with its error, and stepped over.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import Conflict, DatabaseUnavailable, LeaseLost
from service.model.events import Event
from service.relay.follower import Follower
from service.sections import RelaySettings
from service.store.doorbell import Doorbell
from service.store.pool import Database, Session
from service.store.queries import load
from service.store.wakeups import Wakeup

logger = logging.getLogger(__name__)
SQL = load(__package__)

# A log that is busy rings all the time; this much company makes a batch of single events.
COMPANY_SECONDS = 0.02
# A checkpoint that moves over events nobody wants is written this often.
IDLE_WRITE_SECONDS = 1.0
RECONNECT_SECONDS = 1.0


class Poison(Exception):
    """An effect failed for a reason of its own."""


@dataclass
class Place:
    """Where a follower is: `saved` is its checkpoint, `read` how far it has looked."""

    saved: int
    read: int
    quiet_until: int


class Following:
    """One follower under one leader: `run(term)` until cancelled, or until the lease is lost."""

    def __init__(
        self,
        follower: Follower,
        db: Database,
        settings: RelaySettings,
        wakeup: Wakeup,
        doorbell: Doorbell,
        relay_id: str,
    ) -> None:
        self.follower, self._db, self._settings = follower, db, settings
        self._wakeup, self._doorbell, self._relay_id = wakeup, doorbell, relay_id
        self._place = Place(0, 0, 0)
        self._term = 0
        self._patience = settings.attempts
        self._written_at = 0.0

    async def run(self, term: int) -> None:
        """Follow; what goes wrong with the database is waited out."""
        self._term = term
        while True:
            try:
                await self._follow()
            except LeaseLost:
                return
            except Conflict as error:
                self._log(logging.INFO, "Follower reads its checkpoint again", error=error.message)
            except DatabaseUnavailable as error:
                self._log(logging.WARNING, "Follower waits for the database", error=error.hint)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        await self._open()
        while True:
            self._wakeup.clear()
            while await self._step_and_rest():
                pass
            rang = await self._wakeup.wait(self._settings.poll_interval_seconds)
            if not rang:
                # Nobody rings for a checkpoint that was rewound by hand.
                await self._open()
            await asyncio.sleep(COMPANY_SECONDS)

    async def _open(self) -> None:
        row = await self._db.fetchrow(SQL.open_follower, self.follower.name, 0)
        assert row is not None, "the function always answers"
        if self._place.saved != row[0] or self._place.quiet_until != row[1]:
            self._place = Place(row[0], row[0], row[1])

    async def _step_and_rest(self) -> bool:
        began = asyncio.get_running_loop().time()
        more = await self._step()
        await asyncio.sleep(self.follower.rest * (asyncio.get_running_loop().time() - began))
        return more

    async def _step(self) -> bool:
        """Do the next batch; whether there may be more."""
        place = self._place
        found = await self.follower.search(self._db, place.read, self._settings.batch)
        reached = found.position
        if place.read < place.quiet_until:
            reached = min(reached, place.quiet_until)
        if reached <= place.read:
            # Nothing new, or the settled end stepped back for a moment. What was looked through a moment ago
            # may not be written yet, and would look like a lag for as long as nothing happens.
            await self._pass(place.read)
            return False
        events = [event for event in found.events if event.position <= reached]
        if place.saved < place.quiet_until:
            events = await self._without_parked(events)
        if events:
            await self._take(events, reached)
            self._patience = self._settings.attempts
        else:
            await self._pass(reached)
        return reached < found.settled

    async def _take(self, events: Sequence[Event], reached: int) -> None:
        """Do these events, or those of them that can be done, and move the checkpoint to `reached`."""
        try:
            await self._do(events, reached)
        except Poison as poison:
            if len(events) == 1:
                await self._suspect(events[0], poison)
                return
            middle = len(events) // 2
            await self._take(events[:middle], events[middle - 1].position)
            await self._take(events[middle:], reached)

    async def _do(self, events: Sequence[Event], reached: int) -> None:
        """Effect and checkpoint, in one transaction. Raises Poison for what the effect raised."""
        async with self._db.transaction() as connection:
            session = Session(connection)
            await self._advance(session, reached)
            try:
                await self.follower.apply(session, events, self._place.saved >= self._place.quiet_until)
            except DatabaseUnavailable:
                raise
            except Exception as error:
                raise Poison(f"{type(error).__name__}: {error}") from error
        self._moved(reached)
        for channel in self.follower.rings:
            self._doorbell.ring(channel)

    async def _suspect(self, event: Event, poison: Poison) -> None:
        """An event that fails alone: try again later, and park it when there is no patience left."""
        for attempt in range(1, self._patience):
            await self._db.fetchval(SQL.fail_follower, self.follower.name, str(poison))
            await asyncio.sleep(self._settings.retry_seconds * 2 ** (attempt - 1))
            try:
                return await self._do([event], event.position)
            except Poison as again:
                poison = again
        # The rest of the batch is tried once: many that fail in a row must not hold up what comes after.
        self._patience = 1
        await self._db.fetchval(
            *(SQL.park_event, self.follower.name, self._place.saved, event.position, str(poison)),
            *(self._relay_id, self._term),
        )
        self._moved(event.position)
        fields = {"follower": self.follower.name, "position": event.position, "type": event.type}
        logger.error("Event parked", extra={"fields": fields}, exc_info=poison.__cause__)

    async def _pass(self, reached: int) -> None:
        """Step over events that nobody wants; the checkpoint is not written for each look."""
        self._place.read = reached
        now = asyncio.get_running_loop().time()
        if reached > self._place.saved and now - self._written_at >= IDLE_WRITE_SECONDS:
            await self._advance(self._db, reached)
            self._moved(reached)

    async def _advance(self, db: "Database | Session", reached: int) -> None:
        await db.fetchval(
            *(SQL.advance_follower, self.follower.name, self._place.saved, reached),
            *(self._relay_id, self._term),
        )

    async def _without_parked(self, events: Sequence[Event]) -> list[Event]:
        """In a quiet stretch, what is parked stays parked: its effect has not happened yet."""
        if not events:
            return []
        rows = await self._db.fetch(
            SQL.parked_between, self.follower.name, events[0].position - 1, events[-1].position
        )
        parked = {row[0] for row in rows}
        return [event for event in events if event.position not in parked]

    def _moved(self, reached: int) -> None:
        self._place.saved = self._place.read = reached
        self._written_at = asyncio.get_running_loop().time()

    def _log(self, level: int, text: str, **fields: object) -> None:
        logger.log(level, text, extra={"fields": {"follower": self.follower.name, **fields}})
