"""A relay: stands by or leads, and does the duties of the leader while it does."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from service.errors import Conflict, DatabaseUnavailable
from service.fleet.rescue import Rescuer
from service.lifecycle import Supervisor
from service.relay.configured import put_in_force
from service.relay.depth_marks import keep_counting
from service.relay.follower import Follower
from service.relay.following import Following
from service.relay.lease import Lease
from service.relay.overdue import Overdue
from service.relay.parking import FOLLOWERS
from service.relay.retention import Retention
from service.relay.scheduler import Scheduler
from service.relay.sending.sender import Sender
from service.relay.vigil import keep_watch
from service.settings import Settings
from service.store.console import NOT_MIGRATED
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.queries import load
from service.store.travel import PastStore
from service.store.wakeups import Wakeups
from service.watchdog import Watchdog

logger = logging.getLogger(__name__)
SQL = load(__package__)
# Connections beside one for each follower: schedules, what configures them, retention, depth marks, farewell;
# and of webhooks what is due, what was recorded, secrets, endpoints.
SPARE_CONNECTIONS = 9


async def serve(settings: Settings, dsn: str, shutdown: asyncio.Event, relay_id: str | None = None) -> int:
    """Run one relay on a database until shutdown; gives its exit code.

    Raises DatabaseUnavailable, and Conflict for a database that is not at this release's schema.
    """
    own = settings.database.model_copy(update={"pool_min": 1, "pool_max": len(FOLLOWERS) + SPARE_CONNECTIONS})
    async with (
        await Database.open(own, dsn) as db,
        Doorbell(db, settings.wakeup) as doorbell,
        Wakeups(settings.database.listen_url or dsn, settings.wakeup) as wakeups,
    ):
        try:
            await db.fetch(SQL.relays)
        except NOT_MIGRATED as error:
            raise Conflict("The database is not at this release's schema.", hint="annals migrate") from error
        return await Relay(settings, db, wakeups, doorbell, relay_id).run(shutdown)


class Relay:
    """One run of one relay process: `run(shutdown)`."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        wakeups: Wakeups,
        doorbell: Doorbell,
        relay_id: str | None = None,
        followers: Sequence[Follower] = FOLLOWERS,
    ) -> None:
        own = settings.relay
        self._settings, self._db = settings, db
        self.watchdog = Watchdog()
        self.lease = Lease(db, own, wakeups.subscribe("annals_relay"), relay_id, self.watchdog.take_worst)
        name = self.lease.relay_id
        self.sender = Sender(db, settings, wakeups.subscribe("annals_webhooks"), doorbell, name)
        self._scheduler = Scheduler(db, own, wakeups.subscribe("annals_relay"), doorbell, name)
        self.retention = Retention(db, settings.retention, doorbell, name)
        self._followings = [
            Following(follower, db, own, wakeups.subscribe("annals_events"), doorbell, name)
            for follower in followers
        ]

    async def run(self, shutdown: asyncio.Event) -> int:
        """Work until shutdown, then stop and hand over."""
        async with Supervisor(shutdown) as supervisor:
            supervisor.keep("watchdog", self.watchdog.run)
            supervisor.keep("lease", self.lease.run)
            supervisor.keep("schedules of the configuration", self._configure)
            lead = supervisor.keep("lead", self._lead)
            logger.info("Relay started", extra={"fields": {"relay_id": self.lease.relay_id}})
            await shutdown.wait()
            # Before the lease is given away: no effect of ours may come after another's first.
            lead.cancel()
            await asyncio.wait([lead])
        return await self._farewell()

    async def _lead(self) -> None:
        """Term after term: the duties run for as long as a term does."""
        while True:
            term = await self.lease.won()
            async with Supervisor(asyncio.Event()) as duties:
                duties.keep("schedules", partial(self._scheduler.run, term))
                duties.keep("webhooks", partial(self.sender.run, term))
                duties.keep("retention", partial(self.retention.run, term))
                duties.keep("depth marks", partial(keep_counting, PastStore(self._db)))
                duties.keep("rescue", self._rescue)
                duties.keep("deadlines", partial(self._enforce_deadlines, term))
                for following in self._followings:
                    duties.keep(f"follower {following.follower.name}", partial(following.run, term))
                await self.lease.ended(term)

    async def _rescue(self) -> None:
        own = self._settings.worker
        duty = Rescuer(own, lambda: "relay")
        await keep_watch(self._db, duty, own.heartbeat_seconds, own.lost_after_seconds)

    async def _enforce_deadlines(self, term: int) -> None:
        own = self._settings.relay
        duty = Overdue(own, self.lease.relay_id, term)
        await keep_watch(
            self._db, duty, own.poll_interval_seconds, self._settings.database.command_timeout_seconds
        )

    async def _configure(self) -> None:
        await put_in_force(self._db, self._settings.schedules)

    async def _farewell(self) -> int:
        fields = {"relay_id": self.lease.relay_id}
        try:
            await self.lease.leave()
        except DatabaseUnavailable as error:
            logger.error("Relay could not say farewell", extra={"fields": fields | {"error": error.message}})
            return 1
        logger.info("Relay stopped", extra={"fields": fields})
        return 0
