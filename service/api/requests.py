"""What the headers of a request say: who asks, which request this is, and what it belongs to."""

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import Invalid
from service.model.task import RequestKey

REQUEST_ID = re.compile(r"[!-~]{1,200}")
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?"
)
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what every event this request writes is to carry.

    `actor` goes into events (`api:<key name>`); `request` is passed to the SQL function of a write, which
    then answers a repetition from what it kept; None when the request carried no Idempotency-Key.
    """

    name: str
    scopes: frozenset[str]
    correlation_id: str
    trace: str | None = None
    request: RequestKey | None = None

    @property
    def actor(self) -> str:
        """The name in the column events.actor."""
        return f"api:{self.name}"


def correlation_id(headers: Mapping[str, str]) -> str:
    """The X-Request-ID when it is 1 to 200 printable characters without blanks, else a new one."""
    given = headers.get("X-Request-ID", "")
    return given if REQUEST_ID.fullmatch(given) else f"req-{random.getrandbits(128):032x}"


def trace(headers: Mapping[str, str]) -> str | None:
    """The whole traceparent; one that is not well formed is ignored, as W3C Trace Context asks."""
    given = headers.get("traceparent", "")
    return given if len(given) <= 200 and TRACEPARENT.fullmatch(given) else None


def request_key(
    headers: Mapping[str, str], caller: str, route: str, target: str, body: bytes
) -> RequestKey | None:
    """The idempotency key of a request to `target` (path with query), None without one.

    Raises Invalid for a key that is not 1 to 200 printable characters without blanks.
    """
    key = headers.get("Idempotency-Key")
    if key is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid(
            "The Idempotency-Key is not 1 to 200 printable characters without blanks.", hint="Use a UUID."
        )
    digest = hashlib.sha256(target.encode() + b"\n" + body).hexdigest()
    return RequestKey(caller, route, key, digest)
