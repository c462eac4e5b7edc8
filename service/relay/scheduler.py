"""Firing schedules when they are due: exactly once each, by the clock of the database.

The row says from when on due times count (counts_from), the expression when they are; nothing is remembered
here that a next leader would not find too. A clock that jumps back finds its due times done; after one that
jumped ahead, or a pause, the latest due time stands for all that were missed, if the schedule wants it to.
"""

import logging
from datetime import datetime, timedelta

from service.errors import AnnalsError, DatabaseUnavailable, Invalid, LeaseLost
from service.sections import RelaySettings
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.schedules import Schedule, ScheduleStore
from service.store.wakeups import Wakeup

logger = logging.getLogger(__name__)
RECONNECT_SECONDS = 1.0


class Scheduler:
    """A duty of the relay that leads: `run(term)` until cancelled, or until the lease is lost."""

    def __init__(
        self, db: Database, settings: RelaySettings, wakeup: Wakeup, doorbell: Doorbell, relay_id: str
    ) -> None:
        self._schedules, self._settings, self._wakeup = ScheduleStore(db), settings, wakeup
        self._doorbell, self._relay_id = doorbell, relay_id
        # Next due time by name and version: an expression is walked once, not once a second.
        self._next: dict[tuple[str, int], datetime | None] = {}

    async def run(self, term: int) -> None:
        """Fire what is due, and wait for what is next."""
        while True:
            self._wakeup.clear()
            try:
                pause = await self.look(term)
            except LeaseLost:
                return
            except DatabaseUnavailable as error:
                logger.warning("Schedules wait for the database", extra={"fields": {"error": error.hint}})
                pause = RECONNECT_SECONDS
            await self._wakeup.wait(pause)

    async def look(self, term: int) -> float:
        """Fire every schedule that is due; gives the seconds until it is worth to look again."""
        rows = await self._schedules.list(enabled_only=True)
        known, self._next = self._next, {}
        pause = self._settings.poll_interval_seconds
        for row in rows:
            key = row.name, row.version
            due = known[key] if key in known else _first_due(row)
            if due is not None and due <= row.now:
                due = await self._fall_due(row, term)
            self._next[key] = due
            if due is not None:
                pause = min(pause, max((due - row.now).total_seconds(), 0.0))
        return pause

    async def _fall_due(self, row: Schedule, term: int) -> datetime | None:
        """Fire for the latest due time, or pass over it; gives the next one when this row stays as it is."""
        cron = row.when()
        due = cron.last(row.counts_from, row.now)
        late = timedelta(seconds=self._settings.missed_after_seconds)
        if due is None:  # the clock was set back since the row was read
            return cron.next(row.now, 1)[0]
        if row.missed_fires == "skip" and row.now - due > late:
            logger.warning("Schedule missed", extra={"fields": {"schedule": row.name, "due_at": due}})
            return cron.next(row.now, 1)[0]
        missed = cron.count(row.counts_from, due)
        try:
            fired = await self._schedules.fire_due(row, due, missed, self._relay_id, term)
        except (LeaseLost, DatabaseUnavailable):
            raise
        except AnnalsError as error:
            logger.error(
                "Schedule could not fire", extra={"fields": {"schedule": row.name, "error": str(error)}}
            )
            return cron.next(row.now, 1)[0]
        fields = {"schedule": row.name, "due_at": due, "task_id": fired.task_id, "missed": missed}
        if fired.outcome == "refused":
            logger.error("Schedule enqueued nothing", extra={"fields": fields | {"error": fired.error}})
        elif fired.outcome == "fired":
            logger.info("Schedule fired", extra={"fields": fields})
            enqueued = {"task_id": fired.task_id, "task_type": row.task_type, "schedule": row.name}
            logger.info("Task enqueued", extra={"fields": enqueued})
            self._doorbell.ring("annals_tasks", fired.queue or "")
        self._doorbell.ring("annals_events")
        # The row has another version now, and is read again at once.
        return row.now


def _first_due(row: Schedule) -> datetime | None:
    """The next due time that counts; None for what this machine cannot work out, said once per version."""
    try:
        return row.when().next(row.counts_from, 1)[0]
    except Invalid as error:
        fields = {"schedule": row.name, "error": f"{error.message} {error.hint}"}
        logger.error("Schedule cannot be worked out", extra={"fields": fields})
        return None
