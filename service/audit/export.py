"""Which events an export holds, and how they are read: settled ones, in order, a chunk at a time.

A settled part of the log never changes, so that no snapshot is held meanwhile: an export of any length
keeps neither vacuum nor writers waiting, and gives the same events whenever it is asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from service import __version__
from service.audit.lines import Header, RawEvent, Selection
from service.audit.reader import QUERIES
from service.errors import Invalid, NotFound
from service.store.log import LogReader
from service.store.pool import Database
from service.store.travel import settle

# Also what is in memory at once, twice: at the bound of an event, 256 KiB, half a gigabyte; usually 1 MB.
CHUNK = 1000


async def choose(
    db: Database,
    since: int | datetime | None = None,
    until: int | datetime | None = None,
    tasks: Sequence[str] = (),
) -> Header:
    """What an export of this part of the log begins with.

    A position belongs to the part; `since` a time means after what was recorded up to it. Raises NotFound
    for a task without events, Invalid and Conflict for a position that is not in the log or not settled.
    """
    log = LogReader(db)
    last = await (log.stable_position() if until is None else settle(db, until))
    if isinstance(since, datetime):
        first = await settle(db, since) + 1
    else:
        first = 1 if since is None else max(since, 1)
    if first > last + 1:
        raise Invalid(f"The log from position {first} to position {last} is nothing.", hint="--from, --to")
    if unknown := await db.fetchval(QUERIES["unknown_tasks"], list(tasks)):
        raise NotFound(f"Task not found: {unknown}")
    asked = Selection(_spoken(since), _spoken(until), tuple(dict.fromkeys(tasks)))
    return Header(await log.epoch(), first, last, __version__, datetime.now(UTC), asked)


async def events_of(db: Database, header: Header) -> AsyncGenerator[list[RawEvent], None]:
    """The events that the header promises, in order; the next chunk is read while one is worked on."""
    upcoming = asyncio.create_task(_read(db, header, header.first_position))
    try:
        while events := await upcoming:
            upcoming = asyncio.create_task(_read(db, header, events[-1].position + 1))
            await asyncio.sleep(0)  # so that the database works while our caller does
            yield events
    finally:
        upcoming.cancel()
        await asyncio.wait([upcoming])


async def _read(db: Database, header: Header, first: int) -> list[RawEvent]:
    part = (first, header.last_position, CHUNK)
    if header.selected.tasks:
        rows = await db.fetch_planned(QUERIES["export_tasks"], *part, list(header.selected.tasks))
    else:
        rows = await db.fetch(QUERIES["export_events"], *part)
    events = [RawEvent(*row) for row in rows]
    for event in events:
        # What asyncpg makes of infinity.
        if event.recorded_at.year in (datetime.min.year, datetime.max.year):
            raise Invalid(
                f"The event at position {event.position} has no time of record that can be written.",
                hint="Its recorded_at lies outside of the years 2 to 9998.",
            )
    return events


def _spoken(moment: int | datetime | None) -> str | None:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return None if moment is None else str(moment)
