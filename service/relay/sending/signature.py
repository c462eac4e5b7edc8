"""Signing what is sent, by the Standard Webhooks specification (version v1), and X-Agent-Signature.

Both are HMAC-SHA256 over the exact bytes of the body.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from service.errors import Invalid
from service.store.webhook_secrets import key_of


def signed_headers(
    delivery_id: str, timestamp: int, body: bytes, secrets_in_force: Sequence[str]
) -> dict[str, str]:
    """The headers that prove who sent `body`, and when (`timestamp`: seconds since 1970).

    One v1 signature for each secret, so that a receiver may hold the old or the new one while they are
    rotated; X-Agent-Signature has room for one, by the first (the newest). Raises Invalid without a secret.
    """
    if not secrets_in_force:
        raise Invalid("There is no webhook secret.", hint="Make one: annals webhooks secret rotate.")
    keys = [key_of(secret) for secret in secrets_in_force]
    signed = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_base64_mac(key, signed)}" for key in keys),
        "X-Agent-Signature": f"sha256={hmac.new(keys[0], body, hashlib.sha256).hexdigest()}",
    }


def _base64_mac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
