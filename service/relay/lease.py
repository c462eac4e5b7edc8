"""Who leads: one relay at a time, by a lease in the time of the database.

The lease is renewed over a connection that nothing else uses. A relay that could not renew it for its whole
length gives itself up before another may take over; one that was paused and knows nothing of it is refused by
the database (require_lease), because another term has begun.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable

from service import __version__
from service.errors import DatabaseUnavailable
from service.sections import RelaySettings
from service.store.pool import Database, Querying
from service.store.queries import load
from service.store.wakeups import Wakeup

logger = logging.getLogger(__name__)
SQL = load(__package__)

RECONNECT_SECONDS = 0.3
# Asked again a little after the lease of another runs out, not a little before.
MARGIN_SECONDS = 0.02


class Lease:
    """Tries to lead, and renews, while `run` runs. `term` is None while it does not lead."""

    def __init__(
        self,
        db: Database,
        settings: RelaySettings,
        wakeup: Wakeup,
        relay_id: str | None = None,
        lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`wakeup` rings when a lease became free; `lag` is the loop's worst since it was last asked."""
        self._db, self._settings, self._wakeup, self._lag = db, settings, wakeup, lag
        self.relay_id = relay_id or f"r-{secrets.token_hex(5)}"
        self.term: int | None = None
        self.known = asyncio.Event()
        self._moved = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Keep the lease, or wait for it, until cancelled; a lost connection is made again."""
        while True:
            try:
                async with self._db.session() as session:
                    while True:
                        await self._wait(await self._ask(session))
            except (DatabaseUnavailable, TimeoutError) as error:
                logger.warning("The lease was not renewed", extra={"fields": {"error": str(error)}})
            await asyncio.sleep(RECONNECT_SECONDS)

    async def won(self) -> int:
        """Wait until this relay leads; gives the term."""
        while self.term is None:
            await self._moved.wait()
        return self.term

    async def ended(self, term: int) -> None:
        """Wait until it does not lead in this term any more."""
        while self.term == term:
            await self._moved.wait()

    async def leave(self) -> None:
        """Let another take over at once. Raises DatabaseUnavailable; then the lease runs out by itself."""
        if self._timer:
            self._timer.cancel()
        await self._db.fetchval(SQL.leave, self.relay_id, self.term)

    async def _ask(self, session: Querying) -> float:
        """One renewal, or one attempt to take over; gives how long to wait for the next."""
        self._wakeup.clear()
        loop, lease_seconds = asyncio.get_running_loop(), self._settings.lease_seconds
        began = loop.time()
        async with asyncio.timeout(lease_seconds + self._settings.renew_seconds):
            row = await session.fetchrow(
                *(SQL.lead, self.relay_id, socket.gethostname(), os.getpid(), self.term, lease_seconds),
                *(__version__, self._lag()),
            )
        assert row is not None, "the function always answers"
        term, holder, free_in_seconds = row
        if self._timer:
            self._timer.cancel()
        self._now_in(term, holder)
        self.known.set()
        if term is None:
            return min(self._settings.renew_seconds, float(free_in_seconds) + MARGIN_SECONDS)
        # The lease is as old as the moment before it was asked for.
        self._timer = loop.call_at(began + lease_seconds, self._ran_out)
        return self._settings.renew_seconds

    async def _wait(self, seconds: float) -> None:
        """One that leads renews in its own rhythm; one that waits is woken when the lease is free."""
        if self.term is None:
            await self._wakeup.wait(seconds)
        else:
            await asyncio.sleep(seconds)

    def _now_in(self, term: int | None, holder: str | None) -> None:
        if term == self.term:
            return
        fields = {"relay_id": self.relay_id, "term": term or self.term, "holder": holder}
        logger.info("Relay leads" if term else "Relay does not lead any more", extra={"fields": fields})
        self.term = term
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _ran_out(self) -> None:
        fields = {"relay_id": self.relay_id, "term": self.term}
        logger.error("Relay could not renew its lease and stops leading", extra={"fields": fields})
        self._now_in(None, None)
