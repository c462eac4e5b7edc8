"""The query parameter `at`: a moment of the past, as a position of the log or a time."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from service.api.routing import Model
from service.api.services import Services
from service.store.travel import PastStore, position_of_cursor

WRONG = "neither a position of the log nor a time such as 2026-01-31T12:00:00Z"
SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]}


def _moment(text: Any) -> int | datetime:
    if str(text).isdecimal():
        return int(text)
    try:
        time = datetime.fromisoformat(str(text))
        # A time without an offset is UTC; one that UTC has no year for is no time of this log.
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(WRONG) from None


Moment = Annotated[int | datetime, BeforeValidator(_moment), WithJsonSchema(SCHEMA)]
At = Annotated[
    Moment | None,
    Field(
        description="As it was at this position of the log, or at this time (UTC without an offset; write "
        "`Z`, the `+` of an offset is a blank in a URL). `X-Position` says which position was answered. "
        "422 for one that is to come, 409 while a transaction that appends below it is open.",
        examples=[4711, "2026-01-31T12:00:00Z"],
    ),
]


class AtQuery(Model):
    """Now, or as it was."""

    at: At = None


async def settled(services: Services, at: int | datetime, cursor: str | None = None) -> tuple[PastStore, int]:
    """The past, and the position that is asked for; later pages stay at that of the first, whatever has come.

    Raises Conflict while the position is not settled, Invalid when the log has no such position.
    """
    past = PastStore(services.db)
    moment = position_of_cursor(cursor) if cursor and isinstance(at, datetime) else at
    return past, await past.settle(moment)
