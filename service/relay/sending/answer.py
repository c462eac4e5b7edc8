"""How one attempt ended: its status or its error, and whether another one may help."""

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp

from service.relay.sending.guard import Refused

LONGEST_EXCERPT = 200
TOO_MANY, UNAVAILABLE, GONE = 429, 503, 410
REFUSED = "refused: its address is not on the public internet"


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when none came; `error` says why not, or begins what the receiver said.

    `final` when no further attempt is to be made; `retry_after` in seconds as the receiver asked for.
    """

    status: int | None
    error: str | None
    latency_ms: int
    final: bool
    retry_after: float = 0.0
    method = "POST"  # aiohttp-retry asks for it

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of them."""
        return self.status == GONE

    @property
    def text(self) -> str:
        """For logs and reasons: `HTTP 503`, or the error."""
        return f"HTTP {self.status}" if self.status is not None else self.error or "no answer"


def may_help(status: int) -> bool:
    """Whether the same request may be answered otherwise a little later."""
    return status >= 500 or status == TOO_MANY


def retry_after(status: int, header: str | None) -> float:
    """Seconds that a receiver asks to wait, by number or date; 0 when it asks for nothing sensible."""
    if status not in (TOO_MANY, UNAVAILABLE) or not header:
        return 0.0
    if re.fullmatch(r"\s*\d{1,9}\s*", header, re.ASCII):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def excerpt(body: bytes) -> str | None:
    """The beginning of what a receiver said, safe to store and to show; None when it said nothing."""
    text = body[: 4 * LONGEST_EXCERPT].decode(errors="replace")
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:LONGEST_EXCERPT] or None


def explain(error: Exception, timeout_seconds: float) -> tuple[str, bool]:
    """What went wrong, in words without the URL (its query may hold a secret), and whether that is final."""
    match error:
        case TimeoutError():
            return f"no answer within {timeout_seconds:g} s", False
        case aiohttp.ClientConnectorDNSError():
            return f"its name does not resolve: {_cause(error.os_error)}", False
        case aiohttp.ClientConnectorCertificateError():
            return excerpt(f"TLS: {error.certificate_error}".encode()) or "TLS", False
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, Refused):
            return REFUSED, True
        case aiohttp.ClientSSLError():
            return f"TLS: {_cause(error.os_error)}", False
        case aiohttp.ClientConnectorError():
            return f"cannot connect: {_cause(error.os_error)}", False
        case ValueError():  # aiohttp.InvalidURL is one
            return "refused: it is not a URL", True
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer", False
        case aiohttp.ClientResponseError():
            return excerpt(f"no HTTP answer: {error.message}".encode()) or "no HTTP answer", False
        case _:
            return f"the connection broke: {_cause(error)}", False


def _cause(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return excerpt(str(said).encode()) or type(error).__name__
