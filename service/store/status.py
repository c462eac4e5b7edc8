"""Reading the state of an installation: counts kept by followers, beginnings of indexes, and small tables.

Nothing here costs more with a longer queue or a longer log. Depths are exact while depth marks are near the
end of the log; while the relay that writes them is away or behind, at most `COUNTED` tasks of each lane are
counted, which is enough to see that there are too many.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from service import __version__
from service.model.error_group import ErrorGroup
from service.store.alarms import Alarm, alarms
from service.store.error_groups import RECENT, ErrorFilter, ErrorStore
from service.store.pool import Database, Querying, Session
from service.store.queries import load
from service.store.readings import (
    EndpointReading,
    EventTotals,
    FollowerReading,
    LastHour,
    LogReading,
    PausedQueue,
    QueueReading,
    Reading,
    RelayReading,
    RetentionReading,
    ScheduleReading,
    TaskTotals,
    WorkerReading,
)

STORE = load(__package__)
SQL = load(__package__, "queries/status")
COUNTED = 2_000
# With a mark this near, the exact depth takes milliseconds; marks are written every 2000 positions.
NEAR_POSITIONS = 4_000
LAST_ERRORS = 5
AS_READ = (
    *("workers", "relays", "term", "followers", "queues", "paused", "schedules"),
    *("open_deliveries", "oldest_delivery_seconds", "endpoints", "retention", "log"),
)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an installation, and what went wrong lately: for people and for scripts.

    `reasons` are why it needs a person; without any it is well.
    """

    at: datetime
    version: str
    server_version: str
    is_well: bool
    reasons: list[Alarm]
    workers: list[WorkerReading]
    relays: list[RelayReading]
    term: int
    followers: list[FollowerReading]
    queues: list[QueueReading]
    paused: list[PausedQueue]
    schedules: list[ScheduleReading]
    open_deliveries: int
    oldest_delivery_seconds: float
    endpoints: list[EndpointReading]
    retention: list[RetentionReading]
    last_hour: LastHour
    errors: list[ErrorGroup]
    log: LogReading


class StatusStore:
    """On a pool. Every method may raise DatabaseUnavailable, and Conflict on a standby."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reading(self) -> Reading:
        """The state now: a dozen short statements over one connection."""
        async with self._db.acquire() as connection:
            return await _read(Session(connection))

    async def status(self) -> Status:
        """The state now, the last hour, and the last errors in groups."""
        async with self._db.acquire() as connection:
            session = Session(connection)
            reading = await _read(session)
            row = await session.fetchrow(SQL.last_hour)
            assert row is not None, "the statement always answers"
            errors = ErrorFilter(since=reading.log.now - RECENT)
            page = await ErrorStore(session).list(errors, limit=LAST_ERRORS)
            return _status(reading, LastHour(*row), list(page.items))


def _status(reading: Reading, hour: LastHour, errors: list[ErrorGroup]) -> Status:
    reasons = alarms(reading, hour)
    return Status(
        at=reading.log.now,
        version=__version__,
        server_version=reading.log.server_version,
        is_well=not reasons,
        reasons=reasons,
        last_hour=hour,
        errors=errors,
        **{name: getattr(reading, name) for name in AS_READ},
    )


async def _read(db: Querying) -> Reading:
    log = await _log(db)
    deliveries = await db.fetchrow(SQL.deliveries, COUNTED)
    return Reading(
        bounds=await db.fetchval(SQL.bounds),
        tasks=await _all(db, TaskTotals, SQL.task_totals),
        events=await _all(db, EventTotals, SQL.event_totals),
        queues=await _queues(db, log),
        paused=await _all(db, PausedQueue, SQL.paused_queues),
        workers=await _all(db, WorkerReading, SQL.workers),
        relays=await _all(db, RelayReading, SQL.relays),
        term=await db.fetchval(SQL.term),
        followers=await _all(db, FollowerReading, SQL.followers),
        schedules=await _all(db, ScheduleReading, SQL.schedules),
        open_deliveries=deliveries["open"] if deliveries else 0,
        oldest_delivery_seconds=deliveries["oldest_seconds"] if deliveries else 0.0,
        endpoints=await _all(db, EndpointReading, SQL.endpoints),
        retention=await _all(db, RetentionReading, SQL.retention),
        log=log,
    )


async def _all(db: Querying, kind: type[Row], query: str) -> list[Row]:
    return [kind(*row) for row in await db.fetch(query)]


async def _log(db: Querying) -> LogReading:
    row = await db.fetchrow(SQL.log, await db.fetchval(STORE.stable_position))
    assert row is not None, "the statement always answers"
    return LogReading(*row)


async def _queues(db: Querying, log: LogReading) -> list[QueueReading]:
    exact: dict[tuple[str, str], Any] | None = None
    if log.settled - log.marked <= NEAR_POSITIONS:
        rows = await db.fetch(SQL.depth, log.settled)
        exact = {(row["queue"], row["class"]): row for row in rows}
    lanes = await db.fetch(SQL.lanes, COUNTED)
    nothing = {"pending": 0, "running": 0}  # a queue whose tasks have all gone
    return [
        _queue(row, None if exact is None else exact.get((row["queue"], row["class"]), nothing))
        for row in lanes
    ]


def _queue(lane: Any, exact: Any) -> QueueReading:
    """A count that stayed below the limit is exact; where one did not, the total less the other one is."""
    claimable, waiting = lane["claimable"], lane["waiting"]
    if exact is not None:
        if waiting < COUNTED <= claimable:
            claimable = max(claimable, exact["pending"] - waiting)
        elif waiting >= COUNTED:
            waiting = max(waiting, exact["pending"] - claimable)
    running = exact["running"] if exact is not None else None
    return QueueReading(
        lane["queue"], lane["class"], claimable, waiting, running, max(0.0, lane["oldest_seconds"])
    )
