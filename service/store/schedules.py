"""Schedules: what is to be enqueued when. Due times are worked out by service.model.cron, never here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.errors import NotFound
from service.model.cron import Cron, cron_of
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row of schedules; `counts_from` is the moment after which due times count, `now` the database's time.

    `configured` tells that its definition comes from the configuration.
    """

    name: str
    cron: str
    time_zone: str
    task_type: str
    params: dict[str, Any]
    queue: str | None
    priority: int | None
    missed_fires: str
    enabled: bool
    configured: bool
    version: int
    created_at: datetime
    changed_at: datetime
    counts_from: datetime
    last_due_at: datetime | None
    last_fired_at: datetime | None
    last_task_id: str | None
    last_error: str | None
    now: datetime

    def when(self) -> Cron:
        """Its due times. Raises Invalid for a zone that this machine does not know."""
        return cron_of(self.cron, self.time_zone)

    def next_fires(self, count: int = 5) -> list[datetime]:
        """The next due times from now on; none while it is disabled. Raises Invalid like `when`."""
        return self.when().next(max(self.counts_from, self.now), count) if self.enabled else []


@dataclass(frozen=True, slots=True)
class Set:
    """What became of a definition: created, changed or unchanged (then there is no position)."""

    outcome: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of a fire.

    fired; refused (recorded with its error, nothing enqueued); not_due or changed (another was quicker, or
    the definition is another one by now: nothing happened).
    """

    outcome: str
    task_id: str | None
    position: int | None
    queue: str | None
    error: str | None


class ScheduleStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def list(self, *, enabled_only: bool = False) -> list[Schedule]:
        """All schedules, by name."""
        return [Schedule(*row) for row in await self._db.fetch(SQL.schedules, None, enabled_only)]

    async def get(self, name: str) -> Schedule:
        """One schedule. Raises NotFound."""
        if row := await self._db.fetchrow(SQL.schedules, name, False):
            return Schedule(*row)
        raise NotFound(f"Schedule not found: {name}", hint="Those there are: annals schedules list")

    async def set(
        self,
        name: str,
        definition: Mapping[str, Any],
        *,
        actor: str,
        ring: bool = True,
        configured: bool = False,
    ) -> Set:
        """Create a schedule or replace its definition.

        Raises Invalid for what could not fire: cron, time zone, type, parameters.
        """
        given = dict(definition)
        cron, zone = given.get("cron"), given.get("time_zone")
        # What is no text is left to the database to refuse, in its words.
        known = isinstance(cron, str) and isinstance(zone, str | None)
        due = cron_of(str(cron), zone or "UTC").next(datetime.now(UTC), 1)[0] if known else None
        row = await self._db.fetchrow(SQL.set_schedule, name, given, due, actor, ring, configured)
        assert row is not None, "the function always answers"
        return Set(*row)

    async def disable(
        self, name: str, *, actor: str, ring: bool = True, unconfigured: bool = False
    ) -> int | None:
        """Keep it from firing; None when it did not fire already. Raises NotFound."""
        position = await self._db.fetchval(SQL.disable_schedule, name, actor, ring, unconfigured)
        return None if position is None else int(position)

    async def fire(
        self, name: str, *, actor: str, ring: bool = True, correlation_id: str | None = None
    ) -> Fired:
        """Enqueue its task now, by hand; its due times stay as they are.

        Raises NotFound, or what an enqueue raises.
        """
        return await self._fire(name, None, None, None, 0, actor, ring, None, None, correlation_id)

    async def fire_due(
        self, schedule: Schedule, due_at: datetime, missed: int, relay_id: str, term: int
    ) -> Fired:
        """Enqueue its task for a due time, once; ring its queue afterwards. Raises LeaseLost."""
        next_due_at = schedule.when().next(max(due_at, schedule.now), 1)[0]
        return await self._fire(
            *(schedule.name, due_at, next_due_at, schedule.version, missed),
            *("relay", False, relay_id, term, None),
        )

    async def _fire(self, *arguments: Any) -> Fired:
        row = await self._db.fetchrow(SQL.fire_schedule, *arguments)
        assert row is not None, "the function always answers"
        return Fired(*row)
