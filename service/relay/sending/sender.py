"""Which delivery is sent when: a duty of the relay that leads.

What may be sent is asked of the database, in order of the numbers of each endpoint, whenever it may have
changed: a ring, a place that became free, a time that has come; and now and then, in case a ring was lost.
"""

import asyncio
import logging

from service.errors import DatabaseUnavailable, LeaseLost
from service.probe import Probe
from service.relay.sending.breaker import Breaker
from service.relay.sending.delivery import Delivery, Shift, Step
from service.relay.sending.places import Place, Places
from service.relay.sending.recording import Recorder
from service.relay.sending.secrets import Secrets
from service.relay.sending.session import open_session
from service.relay.sending.signature import new_secret
from service.settings import Settings
from service.store.deliveries import DeliveryStore, DueDelivery
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.queries import load
from service.store.wakeups import Wakeup

logger = logging.getLogger(__name__)
SQL = load(__package__)

RECONNECT_SECONDS = 0.5
# A delivery that nobody foresaw how it failed is not tried again at once, and for ever.
SHUNNED_SECONDS = 60.0
PLACE = "place"


class Sender:
    """`run(term)` until cancelled, or until the lease is lost; `steps` tells a test where deliveries are."""

    def __init__(
        self, db: Database, settings: Settings, wakeup: Wakeup, doorbell: Doorbell, relay_id: str
    ) -> None:
        self._db, self._settings, self._poll = db, settings.webhooks, settings.relay.poll_interval_seconds
        self._wakeup, self._doorbell, self._relay_id = wakeup, doorbell, relay_id
        self._deliveries = DeliveryStore(db)
        self._places = Places(self._settings, self._place_moved)
        self._held: dict[str, asyncio.Task[None]] = {}
        self._shunned: dict[str, float] = {}
        self._looked_at_paused = float("-inf")
        self._wants_places = False
        self.steps: Probe[Step] = Probe()

    async def run(self, term: int) -> None:
        """Send what is due, until another leads. Cancelled, it leaves no request and no connection open."""
        self._places = Places(self._settings, self._place_moved)
        self._looked_at_paused = float("-inf")
        self._held.clear()
        async with open_session(self._settings.allow_http_localhost) as session:
            recorder = Recorder(self._deliveries, self._doorbell, self._relay_id, term)
            shift = Shift(
                *(self._settings, self._db, session, self._deliveries, recorder, self._places),
                *(Breaker(self._settings), Secrets(self._deliveries), self.steps, self._relay_id, term),
            )
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(recorder.run(), name="webhook records")
                    await self._dispatch(shift, group)
            except* LeaseLost:
                logger.info("Webhooks are another's to send", extra={"fields": {"term": term}})

    async def _dispatch(self, shift: Shift, group: asyncio.TaskGroup) -> None:
        has_secret = False
        while True:
            self._wakeup.clear()
            if self._wakeup.payloads() - {PLACE}:
                shift.secrets.forget()
            try:
                has_secret = has_secret or await self._make_sure_of_a_secret()
                while await self._look(shift, group):
                    pass
                pause = await self._pause(shift)
            except DatabaseUnavailable as error:
                logger.warning("Webhooks wait for the database", extra={"fields": {"error": error.hint}})
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            await self._wakeup.wait(pause)

    async def _make_sure_of_a_secret(self) -> bool:
        if await self._deliveries.first_secret(new_secret()):
            logger.info("First webhook secret made")
        return True

    async def _look(self, shift: Shift, group: asyncio.TaskGroup) -> bool:
        """Begin what may be sent now; whether there may be more."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at_paused >= self._poll:
            rows = await self._db.fetch(SQL.paused_endpoints)
            shift.breaker.now_paused([row[0] for row in rows], now)
            self._looked_at_paused = now
        self._shunned = {name: until for name, until in self._shunned.items() if until > now}
        places, busy = self._places, self._places.busy()
        # Told before the database is asked: a place that becomes free meanwhile is not overlooked.
        self._wants_places = bool(busy) or places.free() <= 0
        if places.free() <= 0:
            return False
        found = await self._deliveries.due(
            *([*self._held, *self._shunned], busy, shift.breaker.to_probe(now)),
            *(self._settings.per_endpoint, places.free()),
        )
        for row in found:
            if row.delivery_id not in self._held and (place := places.take(row.endpoint)):
                task = group.create_task(self._deliver(row, place, shift), name=f"webhook {row.delivery_id}")
                self._held[row.delivery_id] = task
                if row.is_probe:
                    shift.breaker.probe_begins(row.endpoint)
        return bool(found)

    async def _deliver(self, row: DueDelivery, place: Place, shift: Shift) -> None:
        """One delivery from its first attempt here to its last; what nobody foresaw fails it alone."""
        try:
            await Delivery(row, place, shift).run()
        except LeaseLost:
            raise
        except Exception:
            self._shunned[row.delivery_id] = asyncio.get_running_loop().time() + SHUNNED_SECONDS
            fields = {"delivery_id": row.delivery_id, "pause_seconds": SHUNNED_SECONDS}
            logger.exception("Webhook could not be sent", extra={"fields": fields})
        finally:
            del self._held[row.delivery_id]
            if row.is_probe:
                shift.breaker.probe_ends(row.endpoint)

    async def _pause(self, shift: Shift) -> float:
        """Seconds after which it is worth to look again although nobody rings."""
        now = asyncio.get_running_loop().time()
        due_in = await self._deliveries.next_due_in()
        probe_at = shift.breaker.next_probe_at(now)
        return max(0.0, min(self._poll, due_in or self._poll, (probe_at or now + self._poll) - now))

    def _place_moved(self) -> None:
        if self._wants_places:
            self._wakeup.set(PLACE)
