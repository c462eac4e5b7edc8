"""Schedules from the configuration: put in force when a relay starts."""

import asyncio
import logging
from collections.abc import Mapping

from service.errors import Invalid, SettingsError
from service.model.cron import Cron
from service.sections import ScheduleSettings
from service.store.pool import Database
from service.store.schedules import ScheduleStore

logger = logging.getLogger(__name__)
ACTOR = "config"
# A schedule may name a type that its worker, which starts just now, has not published yet.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


def check(schedules: Mapping[str, ScheduleSettings]) -> None:
    """Refuse at the start what could never fire. Raises SettingsError."""
    for name, schedule in schedules.items():
        try:
            Cron(schedule.cron, schedule.time_zone)
        except Invalid as error:
            raise SettingsError(f"Setting schedules.{name}: {error.message}", hint=error.hint) from None


async def put_in_force(db: Database, schedules: Mapping[str, ScheduleSettings]) -> None:
    """Create, change and disable until the database has all; what it refuses is logged, and tried again."""
    store, waiting, pause = ScheduleStore(db), dict(schedules), FIRST_PAUSE
    for row in await store.list():
        if row.configured and row.name not in schedules:
            await store.disable(row.name, actor=ACTOR, unconfigured=True)
            logger.info("Schedule left the configuration", extra={"fields": {"schedule": row.name}})
    while waiting:
        for name, schedule in list(waiting.items()):
            try:
                await _apply(store, name, schedule)
            except Invalid as error:
                fields = {"schedule": name, "error": f"{error.message} {error.hint}", "pause_seconds": pause}
                logger.warning("Schedule is not accepted yet", extra={"fields": fields})
            else:
                del waiting[name]
        if waiting:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def _apply(store: ScheduleStore, name: str, schedule: ScheduleSettings) -> None:
    definition = schedule.model_dump(exclude_none=True)
    done = await store.set(name, definition, actor=ACTOR, configured=True)
    if done.position is not None:
        logger.info(
            f"Schedule {done.outcome}", extra={"fields": {"schedule": name, "position": done.position}}
        )
