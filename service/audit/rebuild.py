"""Replace what differs from the log in read models, on a live system.

Chunk by chunk of streams, each in a transaction of its own that holds the heads of those streams: nothing
is appended to them meanwhile, all others go on. Rows that are right are not written. A chunk that changed
something appends `projection.repaired` in the same transaction, so an interrupted rebuild has recorded
what it did, and can be started again.
"""

from collections.abc import AsyncIterator

from service.audit.reader import QUERIES, Reader, ReadModel, snapshot
from service.audit.verify import PAGES_AT_ONCE, Verification, is_fed_by
from service.store.pool import Database


async def rebuild(db: Database, run: Verification) -> AsyncIterator[int]:
    """Repair the read models of `run` and yield the rows replaced, chunk by chunk."""
    async with snapshot(db) as connection:
        stream_types = await Reader(connection).stream_types()
    for model in run.read_models:
        for stream_type in (name for name, headed in stream_types if is_fed_by(model, name, headed)):
            async for rows in _streams(db, run, model, stream_type):
                yield rows
        for page in range(0, model.pages, PAGES_AT_ONCE):
            if not run.stop.is_set():
                pages = (page, page + PAGES_AT_ONCE - 1)
                yield int(await db.fetchval(QUERIES["repair_strays"], model.name, *pages))


async def _streams(db: Database, run: Verification, model: ReadModel, stream_type: str) -> AsyncIterator[int]:
    last: str | None = ""
    while last is not None and not run.stop.is_set():
        async with db.acquire() as connection:
            streams, last = await Reader(connection).next_streams(stream_type, last, run.head, run.chunk)
        if streams:
            ids = list(streams)
            rows = await db.fetchval(QUERIES["repair_streams"], model.name, stream_type, ids)
            run.seen(streams)
            yield int(rows)
