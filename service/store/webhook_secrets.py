"""The secrets that sign webhooks: how one is made, and which there are. The log never holds one."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
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
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def list_secrets(db: Querying) -> list[SecretInfo]:
    """Those in force, by scope, the newest first. May raise DatabaseUnavailable."""
    return [SecretInfo(*row) for row in await db.fetch(SQL.list_secrets)]
