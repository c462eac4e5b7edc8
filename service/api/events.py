"""Routes of the log: settled events by page."""

from typing import Annotated

from pydantic import AfterValidator, Field

from service.api.event_models import (
    Cursor,
    EventFilter,
    EventPage,
    check_cursor,
    cursor_text,
    model,
    parse_cursor,
)
from service.api.routing import Request, Route

EXAMPLE = "0b9f1c1e-6d0f-4a55-9f44-0a3c1d2e4f5a:1024"


class EventQuery(EventFilter):
    """Which events, from where."""

    after: Annotated[str, AfterValidator(cursor_text)] = Field(
        default="0",
        description="A cursor (`next`, `cursor`, the `id` of a stream), or a position.",
        examples=[EXAMPLE],
    )
    limit: int = Field(default=100, ge=1, le=1000)


async def list_events(request: Request[None, EventQuery, None]) -> EventPage:
    """Settled events in the order of the log; nothing at or before `cursor` can appear later."""
    wanted, log = request.query, request.services.log
    after = parse_cursor(wanted.after)
    epoch = await log.epoch()
    check_cursor(after, epoch, await log.last_position())
    found = await log.search(after.position, wanted.limit, **wanted.as_search())
    cursor = str(Cursor(epoch, found.position))
    return EventPage(
        items=[model(event) for event in found.events],
        next=cursor if found.position < found.settled else None,
        cursor=cursor,
    )


ROUTES = [
    Route(
        "GET",
        "/api/v1/events",
        list_events,
        summary="Read the log",
        description=(
            "Settled events only, in the one global order. While `next` is not null there is more; a page "
            "may be empty then, when a filter takes little. Later, go on from `cursor`. A cursor of another "
            "log, or beyond the end, is answered with 410."
        ),
        tags=("events",),
        query=EventQuery,
        response=EventPage,
        errors=(410,),
    )
]
