"""Whether a webhook comes from who has the secret: Standard Webhooks v1, and X-Agent-Signature.

Source: https://www.standardwebhooks.com; nothing but hmac is needed. X-Agent-Signature is
`sha256=<hex HMAC-SHA256 of the body>`, made with the newest secret.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Literal

TOLERANCE_SECONDS = 300

Verdict = Literal[
    "verified", "unverified", "unsigned", "bad timestamp", "too old", "bad signature", "bad agent signature"
]
# What is taken: of the others somebody may have forged every word.
TAKEN: frozenset[Verdict] = frozenset({"verified", "unverified"})


def judge(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: float) -> Verdict:
    """What to think of a request; `headers` are found in any case, `now` is in seconds since 1970.

    Any of the keys will do, and any of the signatures: there are several while a secret is rotated.
    """
    if not keys:
        return "unverified"
    delivery, stamp = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not delivery or not stamp or not given:
        return "unsigned"
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 15):
        return "bad timestamp"
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return "too old"
    signed = f"{delivery}.{stamp}.".encode(errors="surrogateescape") + body
    expected = ["v1," + base64.b64encode(_mac(key, signed).digest()).decode() for key in keys]
    if not _any_same(given, expected):
        return "bad signature"
    of_body = [f"sha256={_mac(key, body).hexdigest()}" for key in keys]
    return "verified" if _any_same([headers.get("X-Agent-Signature", "")], of_body) else "bad agent signature"


def _mac(key: bytes, text: bytes) -> hmac.HMAC:
    return hmac.new(key, text, hashlib.sha256)


def _any_same(given: Sequence[str], expected: Sequence[str]) -> bool:
    """Compared in constant time, as bytes: text that is not ASCII would raise."""
    pairs = [(one.encode(errors="surrogateescape"), other.encode()) for one in given for other in expected]
    return any(hmac.compare_digest(one, other) for one, other in pairs)
