"""Which delivery is sent when: a duty of the relay that leads.

What may be sent is asked of the database, in order of the numbers of each endpoint: when it rings, when a
time has come, when an endpoint has a place and nothing is known that would fill it; and now and then, in case
a ring was lost.
"""

import asyncio
import logging
from collections import Counter

from service.errors import DatabaseUnavailable, LeaseLost
from service.probe import Probe
from service.relay.sending.breaker import Breaker
from service.relay.sending.delivery import Delivery, Shift, Step
from service.relay.sending.places import Place, Places
from service.relay.sending.ready import Ready
from service.relay.sending.recording import Recorder
from service.relay.sending.secrets import Secrets
from service.relay.sending.session import open_session
from service.settings import Settings
from service.store.deliveries import DeliveryStore, DueDelivery
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.queries import load
from service.store.wakeups import Wakeup
from service.store.webhook_secrets import new_secret

logger = logging.getLogger(__name__)
SQL = load(__package__)

RECONNECT_SECONDS = 0.5
# A delivery that nobody foresaw how it failed is not tried again at once, and for ever.
SHUNNED_SECONDS = 60.0
PLACE = "place"
# Found at once: of one endpoint so many times the places it has, and in all.
AHEAD = 4
MOST_FOUND = 100
# What is known and has no place yet: bodies may be big.
MOST_READY = 200


class Sender:
    """`run(term)` until cancelled, or until the lease is lost; `steps` tells a test where deliveries are."""

    def __init__(
        self, db: Database, settings: Settings, wakeup: Wakeup, doorbell: Doorbell, relay_id: str
    ) -> None:
        self._db, self._settings, self._poll = db, settings.webhooks, settings.relay.poll_interval_seconds
        self._wakeup, self._doorbell, self._relay_id = wakeup, doorbell, relay_id
        self.steps: Probe[Step] = Probe()

    async def run(self, term: int) -> None:
        """Send what is due, until another leads. Cancelled, it leaves no request and no connection open."""
        deliveries, settings = DeliveryStore(self._db), self._settings
        recorder = Recorder(deliveries, self._doorbell, self._relay_id, term)
        places_moved = asyncio.Event()

        def moved() -> None:
            places_moved.set()
            self._wakeup.set(PLACE)

        places = Places(settings, moved)
        async with open_session(settings.allow_http_localhost) as session:
            shift = Shift(
                *(settings, self._db, session, deliveries, recorder, places, Ready(), Breaker(settings)),
                *(Secrets(deliveries), self.steps, self._relay_id, term),
            )
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(recorder.run(), name="webhook records")
                    dispatcher = Dispatcher(shift, group, self._wakeup, places_moved, self._poll)
                    group.create_task(dispatcher.keep_beginning(), name="webhook begins")
                    await dispatcher.keep_finding()
            except* LeaseLost:
                logger.info("Webhooks are another's to send", extra={"fields": {"term": term}})


class Dispatcher:
    """Finds deliveries, and begins them as tasks of a group, during one term.

    Both at the same time: a place that becomes free is not left empty while the database is asked.
    """

    def __init__(
        self,
        shift: Shift,
        group: asyncio.TaskGroup,
        wakeup: Wakeup,
        places_moved: asyncio.Event,
        poll_seconds: float,
    ) -> None:
        self._shift, self._group, self._poll = shift, group, poll_seconds
        self._wakeup, self._places_moved = wakeup, places_moved
        self._held: set[str] = set()
        self._shunned: dict[str, float] = {}
        # Endpoints of which more may be due than was found, and whether any may.
        self._deep: set[str] = set()
        self._found_too_many = False

    async def keep_beginning(self) -> None:
        """Begin what is known as soon as it has a place, until cancelled."""
        while True:
            self._places_moved.clear()
            self._begin()
            await self._places_moved.wait()

    async def keep_finding(self) -> None:
        """Look and begin, until cancelled; a database that is away is waited for."""
        clock = asyncio.get_running_loop().time
        has_secret, look_at = False, clock()
        while True:
            self._wakeup.clear()
            rang = bool(self._wakeup.payloads() - {PLACE})
            try:
                has_secret = has_secret or await self._make_sure_of_a_secret()
                if rang:
                    self._shift.secrets.forget()
                if rang or clock() >= look_at:
                    look_at = clock() + await self._look_anew()
                while self._may_find_more():
                    await self._find()
            except DatabaseUnavailable as error:
                logger.warning("Webhooks wait for the database", extra={"fields": {"error": error.hint}})
                await asyncio.sleep(RECONNECT_SECONDS)
                look_at = clock()
                continue
            await self._wakeup.wait(max(0.0, look_at - clock()))

    async def _make_sure_of_a_secret(self) -> bool:
        if await self._shift.deliveries.first_secret(new_secret()):
            logger.info("First webhook secret made")
        return True

    async def _look_anew(self) -> float:
        """Forget what may be outdated, begin what is due; gives the seconds until the next such look."""
        shift, now = self._shift, asyncio.get_running_loop().time()
        shift.ready.clear()
        self._shunned = {name: until for name, until in self._shunned.items() if until > now}
        await self._find()
        paused = await shift.db.fetch(SQL.paused_endpoints)
        shift.breaker.now_paused([row[0] for row in paused], now)
        due_in = await shift.deliveries.next_due_in()
        probe_at = shift.breaker.next_probe_at(now)
        return min(
            self._poll,
            self._poll if due_in is None else due_in,
            self._poll if probe_at is None else probe_at - now,
        )

    def _may_find_more(self) -> bool:
        """Whether there is something to be known of an endpoint that has a place."""
        ready, busy = self._shift.ready, {*self._shift.places.busy()}
        if len(ready) >= MOST_READY:
            return False
        return self._found_too_many or any(name not in ready and name not in busy for name in self._deep)

    async def _find(self) -> None:
        """Ask for what is due, but of endpoints that cannot take it now, or of which something is known."""
        shift = self._shift
        passed_over = [*shift.places.busy(), *shift.ready.endpoints()]
        quota = AHEAD * shift.settings.per_endpoint
        probing = shift.breaker.to_probe(asyncio.get_running_loop().time())
        found = await shift.deliveries.due(
            [*self._held, *self._shunned], passed_over, probing, quota, MOST_FOUND
        )
        shift.ready.put(found)
        numbers = Counter(row.endpoint for row in found)
        self._deep = {*passed_over, *(name for name, number in numbers.items() if number >= quota)}
        self._found_too_many = len(found) >= MOST_FOUND
        self._begin()

    def _begin(self) -> None:
        shift = self._shift
        for row, place in shift.ready.take(shift.places):
            if row.is_probe:
                shift.breaker.probe_begins(row.endpoint)
            self._held.add(row.delivery_id)
            self._group.create_task(self._deliver(row, place), name=f"webhook {row.delivery_id}")

    async def _deliver(self, row: DueDelivery, place: Place) -> None:
        """One delivery from its first attempt here to its last; what nobody foresaw fails it alone."""
        try:
            await Delivery(row, place, self._shift).run()
        except LeaseLost:
            raise
        except Exception:
            self._shunned[row.delivery_id] = asyncio.get_running_loop().time() + SHUNNED_SECONDS
            fields = {"delivery_id": row.delivery_id, "pause_seconds": SHUNNED_SECONDS}
            logger.exception("Webhook could not be sent", extra={"fields": fields})
        finally:
            self._held.discard(row.delivery_id)
            if row.is_probe:
                self._shift.breaker.probe_ends(row.endpoint)
