"""Replace what differs from the log in read models, on a live system.

Chunk by chunk of streams, each in a transaction of its own that holds the heads of those streams: nothing
is appended to them meanwhile, all others go on. Rows that are right are not written. A chunk that changed
something appends `projection.repaired` in the same transaction, so an interrupted rebuild has recorded
what it did, and can be started again.
"""

import asyncio
from collections.abc import AsyncIterator

from service.audit.reader import QUERIES, Chunk, Reader, ReadModel, snapshot
from service.audit.verify import PAGES_AT_ONCE, Verification, is_fed_by
from service.store.pool import Database


async def rebuild(
    db: Database, run: Verification, actor: str, stop: asyncio.Event | None = None, chunk: Chunk | None = None
) -> AsyncIterator[int]:
    """Repair the read models of `run` and yield the rows replaced, chunk by chunk. Ends early on `stop`."""
    stop = stop or asyncio.Event()
    async with snapshot(db) as connection:
        stream_types = await Reader(connection).stream_types()
    for model in run.read_models:
        for stream_type in (name for name, headed in stream_types if is_fed_by(model, name, headed)):
            async for rows in _streams(db, model, stream_type, run, actor, stop, chunk or Chunk()):
                yield rows
        for page in range(0, model.pages, PAGES_AT_ONCE):
            if not stop.is_set():
                pages = (page, page + PAGES_AT_ONCE - 1)
                yield int(await db.fetchval(QUERIES["repair_strays"], model.name, *pages, actor))
    run.interrupted = stop.is_set()


async def _streams(
    db: Database,
    model: ReadModel,
    stream_type: str,
    run: Verification,
    actor: str,
    stop: asyncio.Event,
    chunk: Chunk,
) -> AsyncIterator[int]:
    after = ""
    while not stop.is_set():
        async with db.acquire() as connection:
            streams = await Reader(connection).next_streams(stream_type, after, chunk)
        if not streams:
            return
        after = list(streams)[-1]
        rows = await db.fetchval(QUERIES["repair_streams"], model.name, stream_type, list(streams), actor)
        run.streams += len(streams)
        run.events += sum(streams.values())
        yield int(rows)
