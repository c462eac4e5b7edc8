"""Replace what differs from the log in read models, on a live system.

Chunk by chunk of streams, each in a transaction of its own that holds the heads of those streams: nothing
is appended to them meanwhile, all others go on. Rows that are right are not written. A chunk that changed
something appends `projection.repaired` in the same transaction, so an interrupted rebuild has recorded
what it did, and can be started again; an interrupted chunk is rolled back.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic
from typing import Any

from service.audit.explaining import finding_of
from service.audit.findings import Finding
from service.audit.reader import QUERIES, Chunk, Reader, ReadModel, snapshot
from service.audit.verify import PAGES_AT_ONCE, Verification, is_fed_by, stray, unfoldable
from service.lifecycle import before
from service.store.pool import Database

# Who writes to one of its streams waits for a whole chunk.
REBUILT = Chunk(streams=500, events=2000, seconds=0.2)


async def rebuild(
    db: Database, run: Verification, tell: Callable[[], None] = lambda: None
) -> AsyncIterator[Finding]:
    """Repair the read models of `run` and yield what was wrong, each row after it was replaced.

    A stream that cannot be folded is left as it is, and is a finding of `events`. `tell` is called after
    each chunk.
    """
    async with snapshot(db) as connection:
        stream_types = await Reader(connection).stream_types()
    for model in run.read_models:
        for stream_type in (name for name, headed in stream_types if is_fed_by(model, name, headed)):
            async for finding in _streams(db, run, model, stream_type, tell):
                yield run.count(finding)
        async for finding in _strays(db, run, model, tell):
            yield run.count(finding)


async def _streams(
    db: Database, run: Verification, model: ReadModel, stream_type: str, tell: Callable[[], None]
) -> AsyncIterator[Finding]:
    last: str | None = ""
    while last is not None and not run.stop.is_set():
        began = monotonic()
        async with db.acquire() as connection:
            streams, last = await Reader(connection).next_streams(stream_type, last, run.head, run.chunk)
        if not streams:
            continue
        rows = await _repaired(db, run, "repair_streams", model.name, stream_type, list(streams))
        if rows is None:
            return
        run.seen(streams, monotonic() - began)
        tell()
        for row in rows:
            stream = f"{stream_type}/{row['stream_id']}"
            yield (
                unfoldable(stream, row["problem"]) if row["problem"] else finding_of(model.name, stream, row)
            )


async def _strays(
    db: Database, run: Verification, model: ReadModel, tell: Callable[[], None]
) -> AsyncIterator[Finding]:
    for page in range(0, model.pages, PAGES_AT_ONCE):
        pages = (page, page + PAGES_AT_ONCE - 1)
        rows = await _repaired(db, run, "repair_strays", model.name, *pages)
        tell()
        for row in rows or ():
            yield stray(model.name, row)


async def _repaired(
    db: Database, run: Verification, query: str, *arguments: Any
) -> list[Mapping[str, Any]] | None:
    """The rows that a repair replaced; None, and nothing done, when the run is stopped before its commit."""
    if run.stop.is_set():
        return None
    async with db.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        rows = None
        try:
            rows = await before(run.stop, connection.fetch(QUERIES[query], *arguments))
        finally:
            # Without a row nothing was written but the shadow, and that need not be kept.
            await (transaction.commit() if rows else transaction.rollback())
        return None if rows is None else list(map(dict, rows))
