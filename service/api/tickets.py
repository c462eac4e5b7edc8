"""Stream tickets: a minute's right to open a stream by URL, for browsers, which cannot set headers there.

A ticket is `<name>.<expiry>.<HMAC of both under the key's hash>`: nothing is stored, every process can check
it, and it ends with its key. Whoever can make one knows the key already. A ticket may open a stream several
times within its minute, because EventSource reconnects with the URL it was given.
"""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

LIFETIME_SECONDS = 60


def issue(name: str, secret: bytes) -> tuple[str, datetime]:
    """A ticket for the key `name` whose hash is `secret`, and when it ends."""
    expiry = int(time.time()) + LIFETIME_SECONDS
    ticket = f"{name}.{expiry}.{_signature(name, expiry, secret)}"
    return ticket, datetime.fromtimestamp(expiry, UTC)


def name_in(ticket: str) -> str | None:
    """The name a ticket claims, None when it is none or is over. Not yet a proof: see `holds`."""
    parts = ticket.rsplit(".", 2)
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 12:
        return None
    left = int(parts[1]) - time.time()
    return parts[0] if 0 < left <= LIFETIME_SECONDS + 1 else None


def holds(ticket: str, secret: bytes) -> bool:
    """Whether a ticket that `name_in` took was made with this secret."""
    name, expiry, signature = ticket.rsplit(".", 2)
    return hmac.compare_digest(signature.encode(), _signature(name, int(expiry), secret).encode())


def _signature(name: str, expiry: int, secret: bytes) -> str:
    message = f"annals stream ticket\n{name}\n{expiry}".encode()
    digest = hmac.digest(secret, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
