"""Live events over SSE: `GET /api/v1/events/stream`, and tickets for browsers.

The `id` of each message is a cursor (epoch:position), so a client that reconnects with Last-Event-ID goes on
where it was and misses nothing. A client whose cursor belongs to another log, or lies beyond the end of this
one, gets the event `reset` and goes on from the end as it is now: what it knows it must read again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from service.api.event_models import Cursor, Entry, EventFilter, cursor_text, parse_cursor
from service.api.feed import Feed
from service.api.routing import Answer, Request, Route
from service.errors import DatabaseUnavailable, Invalid

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
# A client that takes nothing for this long is gone.
STUCK_SECONDS = 60.0
PAUSE_SECONDS = 1.0
# So many chunks of at most that size are kept for other streams, which mostly stand at the same place.
SHARED, SHARED_BYTES = 8, 1024 * 1024
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY = b"retry: 2000\n\n"


class StreamQuery(EventFilter):
    """Which events, from where; without `after` and Last-Event-ID from now on."""

    after: Annotated[str, AfterValidator(cursor_text)] | None = Field(
        default=None, description="A cursor, or a position; the header Last-Event-ID wins over it."
    )


class Ticket(Answer):
    """A minute's right to open streams as `?ticket=`."""

    ticket: str
    expires_at: datetime


async def create_ticket(request: Request[None, None, None]) -> Ticket:
    """A ticket in the name of the caller's key."""
    ticket, expires_at = await request.services.authenticator.issue_ticket(request.http.headers)
    return Ticket(ticket=ticket, expires_at=expires_at)


async def stream(request: Request[None, StreamQuery, None]) -> web.StreamResponse:
    """Write events until the client leaves, stops taking them, or the service stops."""
    feed, wanted = request.services.feed, request.query
    after = _start(request.http.headers.get("Last-Event-ID"), wanted.after)
    response = web.StreamResponse(headers=HEADERS)
    with feed.client():
        generation = feed.generation
        first = await feed.place(after)
        await response.prepare(request.http)
        with suppress(ConnectionError):  # the client left, or was cut
            await _write(request.http, response, RETRY)
            async for message in _messages(feed, generation, first, wanted):
                await _write(request.http, response, message)
    return response


def _start(last_event_id: str | None, after: str | None) -> Cursor | None:
    """Raises Invalid for a header that is not one of our ids."""
    try:
        return parse_cursor(last_event_id or after or "") if last_event_id or after else None
    except ValueError as error:
        raise Invalid(f"Last-Event-ID is {error}.") from None


async def _messages(
    feed: Feed, generation: int, first: tuple[Cursor, bool], wanted: EventFilter
) -> AsyncIterator[bytes]:
    """What goes over the wire; a heartbeat carries the position up to which everything was told."""
    cursor, is_reset = first
    clock = asyncio.get_running_loop().time
    beat_at = clock() + HEARTBEAT_SECONDS
    if is_reset:
        yield _reset(cursor)
    while not feed.closed:
        try:
            if feed.is_another(cursor.epoch, generation):
                generation, (cursor, _) = feed.generation, await feed.place(None)
                yield _reset(cursor)
            entries, position = await feed.read(cursor.position, wanted, max(0.0, beat_at - clock()))
        except DatabaseUnavailable:
            yield b": the database is away\n\n"
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if feed.is_another(cursor.epoch, generation):
            continue
        cursor = Cursor(cursor.epoch, position)
        if entries or clock() >= beat_at:
            yield _told(feed, generation, cursor.epoch or "", wanted, entries) or _alive(cursor)
            beat_at = clock() + HEARTBEAT_SECONDS


def _told(feed: Feed, generation: int, epoch: str, wanted: EventFilter, entries: list[Entry]) -> bytes:
    """Messages, put together once for all streams that want everything and stand at the same place."""
    if not entries:
        return b""
    key = (generation, epoch, entries[0].position, entries[-1].position)
    if wanted.is_everything and (told := feed.told.get(key)):
        return told
    name = epoch.encode()
    told = b"".join(b"id: %s:%d\ndata: %s\n\n" % (name, entry.position, entry.data) for entry in entries)
    if wanted.is_everything and len(told) <= SHARED_BYTES:
        if len(feed.told) >= SHARED:
            feed.told.clear()
        feed.told[key] = told
    return told


def _alive(cursor: Cursor) -> bytes:
    return b": alive\nid: %s\n\n" % str(cursor).encode()


def _reset(cursor: Cursor) -> bytes:
    data = b'{"epoch":"%s","position":%d}' % ((cursor.epoch or "").encode(), cursor.position)
    return b"id: %s\nevent: reset\ndata: %s\n\n" % (str(cursor).encode(), data)


async def _write(http: web.Request, response: web.StreamResponse, chunk: bytes) -> None:
    """Waits while the client is slow. Raises ConnectionError when it is gone or stuck."""
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            await response.write(chunk)
            # It does not wait for a client that is quick: without this, many of them would hold the loop.
            await asyncio.sleep(0)
    except TimeoutError:
        logger.info("a stream's client takes nothing and is cut")
        if http.transport is not None:
            http.transport.abort()
        raise ConnectionResetError("the client takes nothing") from None


ROUTES = [
    Route(
        "GET",
        "/api/v1/events/stream",
        stream,
        summary="Follow the log live (SSE)",
        description=(
            "Each message is one settled event as JSON; its `id` is a cursor, so that a client which "
            "reconnects misses nothing. The event `reset` says that the cursor was of another log: what you "
            "know must be read again."
        ),
        tags=("events",),
        query=StreamQuery,
        stream=True,
    ),
    Route(
        "POST",
        "/api/v1/stream-tickets",
        create_ticket,
        summary="Get a ticket for streams opened by URL",
        description="For browsers, which cannot send headers there: `...?ticket=<ticket>`, for a minute.",
        tags=("events",),
        response=Ticket,
        status=201,
        idempotent=False,
    ),
]
