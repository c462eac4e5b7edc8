"""Removing what is kept no longer: a duty of the relay that leads.

Each batch is a transaction of its own, with the lease in it, and short: it locks rows that are over, which
nobody waits for. Between two batches the duty rests four times as long as a batch took, so that it never
takes more than a fifth of a core from those who work.
"""

import asyncio
import logging
import time

from service.errors import DatabaseUnavailable, LeaseLost
from service.probe import Probe
from service.sections import RetentionSettings
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.retention import RetentionStore

logger = logging.getLogger(__name__)
REST = 4


class Retention:
    """A duty of the relay that leads: `run(term)` until cancelled, or until the lease is lost."""

    def __init__(self, db: Database, settings: RetentionSettings, doorbell: Doorbell, relay_id: str) -> None:
        self._store, self._settings = RetentionStore(db), settings
        self._doorbell, self._relay_id = doorbell, relay_id
        # What each round removed, by kind of rows.
        self.rounds: Probe[dict[str, int]] = Probe()

    async def run(self, term: int) -> None:
        """Look at every interval; what goes wrong is told, and tried again at the next one."""
        while self._settings.enabled:
            try:
                await self._round(term)
            except LeaseLost:
                return
            except DatabaseUnavailable as error:
                logger.warning("Retention waits for the database", extra={"fields": {"error": error.hint}})
            except Exception:
                # Rows that cannot be removed must not keep webhooks and schedules from being done.
                logger.exception("Retention failed")
            await asyncio.sleep(self._settings.interval_seconds)

    async def _round(self, term: int) -> None:
        began, removed = time.monotonic(), {}
        for what in self._settings.kept():
            removed[what] = await self._remove(what, term)
        if any(removed.values()):
            told = {what: rows for what, rows in removed.items() if rows}
            fields = {"removed": told, "duration_ms": round((time.monotonic() - began) * 1000)}
            logger.info("Retention applied", extra={"fields": fields})
        self.rounds.emit(removed)

    async def _remove(self, what: str, term: int) -> int:
        """All that is due of one kind of rows; gives how many went."""
        removed, done = 0, False
        while not done:
            began = time.monotonic()
            batch = await self._store.apply(
                what, self._settings.kept()[what], self._settings.batch, relay=(self._relay_id, term)
            )
            removed, done = removed + batch.removed, batch.done
            if batch.removed:
                self._doorbell.ring("annals_events")
            await asyncio.sleep(REST * (time.monotonic() - began))
        return removed
