"""The secrets that sign webhooks: how one is made, what it stands for, and which there are.

The log never holds one.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from service.errors import Invalid
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
PREFIX = "whsec_"
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """That there is a secret; `expires_at` is None for the newest of its scope."""

    secret_id: int
    scope: str
    created_at: datetime
    expires_at: datetime | None


def new_secret() -> str:
    """A random one, as Standard Webhooks writes it: whsec_ and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes to sign and to verify with. Raises Invalid for what is no secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(PREFIX) or not key:
        raise Invalid(
            "A webhook secret is whsec_ and base64.", hint="Make a new one: annals webhooks secret rotate."
        )
    return key


async def list_secrets(db: Querying) -> list[SecretInfo]:
    """Those in force, by scope, the newest first. May raise DatabaseUnavailable."""
    return [SecretInfo(*row) for row in await db.fetch(SQL.list_secrets)]
