"""Pages of a list, and the opaque cursors that lead from one to the next."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from service.errors import Invalid

Item = TypeVar("Item")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and the cursor of those that follow; None at the end."""

    items: Sequence[Item]
    next: str | None


def encode_cursor(*parts: int | str | datetime) -> str:
    """The key of the last item of a page, as text that is safe in a URL; times to the microsecond."""
    plain = [
        (part - EPOCH) // timedelta(microseconds=1) if isinstance(part, datetime) else part for part in parts
    ]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The parts of a cursor, each of its kind. Raises Invalid for anything that is not one of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, TypeError, binascii.Error):
        raise Invalid(
            "The cursor is not one that this list gave out.", hint="Leave it out to start from the beginning."
        ) from None


def to_timestamp(microseconds: int | None) -> datetime | None:
    """A time as `encode_cursor` wrote it. Raises Invalid when it is no time."""
    try:
        return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise Invalid("The cursor is not one that this list gave out.") from None
