"""Who asks: API keys by header, stream tickets, scopes.

A key is looked up by the SHA-256 of what was sent, so comparing it takes no time that tells anything. What
was found is remembered for a few seconds: a revoked key works at most that long.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from service.api import tickets
from service.api.problems import Forbidden, Unauthenticated
from service.api.routing import Scope
from service.sections import ApiSettings
from service.store.keys import KeyStore
from service.store.pool import Querying
from service.store.queries import load

SQL = load("service.api")

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000
INVALID = "Invalid or missing API key"
# A scope includes those before it.
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that is valid: its name, what it may do, and the hash it is known by."""

    name: str
    scopes: frozenset[str]
    hash: bytes = b""
    expires_at: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


def implied(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes with those they include: admin may write, who may write may read."""
    highest = max((SCOPES.index(scope) for scope in SCOPES if scope in set(scopes)), default=-1)
    return frozenset(SCOPES[: highest + 1])


ANONYMOUS = Identity("anonymous", frozenset(SCOPES))


class Authenticator:
    """Turns headers into an Identity; one per process.

    Raises DatabaseUnavailable when it must look a key up and cannot.
    """

    def __init__(self, settings: ApiSettings, db: Querying) -> None:
        self._required = settings.auth_required
        self._db = db
        self._keys = KeyStore(db)
        self._cache: dict[bytes, tuple[float, Identity | None]] = {}
        self._development: Identity | None = None
        if key := settings.development_key:
            self._development = Identity("development", frozenset(SCOPES), digest(key))

    async def identify(self, headers: Mapping[str, str], ticket: str | None = None) -> Identity:
        """The caller by key, or by ticket where one is given. Raises Unauthenticated."""
        key = sent_key(headers)
        if key is not None:
            found = await self._by_hash(digest(key))
        elif ticket is not None:
            found = await self._by_ticket(ticket)
        else:
            found = None if self._required else ANONYMOUS
        if found is None or found.expired:
            raise Unauthenticated(INVALID, hint="Send the key in the header X-API-Key.")
        return found

    async def issue_ticket(self, headers: Mapping[str, str]) -> tuple[str, datetime]:
        """A stream ticket for the caller of a request, and when it ends. Raises Unauthenticated."""
        identity = await self.identify(headers)
        return tickets.issue(identity.name, identity.hash)

    async def _by_hash(self, hashed: bytes) -> Identity | None:
        if self._development and hmac.compare_digest(hashed, self._development.hash):
            return self._development
        cached = self._cache.get(hashed)
        if cached and cached[0] > time.monotonic():
            return cached[1]
        row = await self._keys.find(hashed)
        found = (
            Identity(row.name, implied(row.scopes), hashed, row.expires_at)
            if row and row.revoked_at is None
            else None
        )
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[hashed] = (time.monotonic() + CACHE_SECONDS, found)
        return found

    async def _by_ticket(self, ticket: str) -> Identity | None:
        name = tickets.name_in(ticket)
        if name is None:
            return None
        if not self._required and name == ANONYMOUS.name:
            return ANONYMOUS if tickets.holds(ticket, b"") else None
        hashed = await self._hash_of(name)
        if hashed is None or not tickets.holds(ticket, hashed):
            return None
        return await self._by_hash(hashed)

    async def _hash_of(self, name: str) -> bytes | None:
        if self._development and name == self._development.name:
            return self._development.hash
        found: bytes | None = await self._db.fetchval(SQL.hash_of_key, name)
        return found


def digest(key: str) -> bytes:
    """The hash by which a key is stored."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def sent_key(headers: Mapping[str, str]) -> str | None:
    """The key of X-API-Key, else of `Authorization: Bearer`; None when neither holds one."""
    if key := headers.get("X-API-Key", "").strip():
        return key
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def require(identity: Identity, scope: Scope) -> None:
    """Raise Forbidden, naming the scope, unless the caller has it."""
    if scope not in identity.scopes:
        has = ", ".join(sorted(identity.scopes)) or "none"
        raise Forbidden(f"This needs the scope {scope}; the key {identity.name} has {has}.")
