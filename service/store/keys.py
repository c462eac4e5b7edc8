"""API keys: names and scopes in the log, hashes beside it, secrets nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its name; valid unless revoked or expired."""

    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def create(
        self,
        name: str,
        digest: bytes,
        scopes: Sequence[str],
        *,
        actor: str,
        expires_at: datetime | None = None,
    ) -> int:
        """Create a key from the SHA-256 of its secret. Raises Invalid, or Conflict when the name was used."""
        return int(await self._db.fetchval(SQL.create_key, name, digest, scopes, expires_at, actor))

    async def revoke(self, name: str, reason: str | None = None, *, actor: str) -> int:
        """End a key. Raises NotFound, or Conflict when it is revoked already."""
        return int(await self._db.fetchval(SQL.revoke_key, name, reason, actor))

    async def find(self, digest: bytes) -> ApiKey | None:
        """The key whose secret has this SHA-256; the caller checks that it is valid."""
        row = await self._db.fetchrow(SQL.key_by_hash, digest)
        return ApiKey(*row) if row else None

    async def list(self) -> list[ApiKey]:
        """All keys, by name, revoked ones included."""
        return [ApiKey(*row) for row in await self._db.fetch(SQL.keys)]
