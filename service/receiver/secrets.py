"""Where a receiver's keys come from: the command line, or the database that signs."""

import contextlib
from collections.abc import Sequence

from service.errors import DatabaseUnavailable
from service.store.deliveries import DeliveryStore
from service.store.delivery_lists import DeliveryLists
from service.store.pool import Querying
from service.store.webhook_secrets import key_of

# The name of an endpoint comes with the request: anybody may make up as many as they like.
MOST_ENDPOINTS = 1000


class GivenKeys:
    """The same for every endpoint. Raises Invalid for a secret that is none."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._keys = [key_of(secret) for secret in secrets]

    async def of(self, endpoint: str, doubtful: str | None = None) -> Sequence[bytes]:
        """Those given; none when none were."""
        return self._keys


class StoredKeys:
    """Those that sign for an endpoint: its own, else those of the API key that enqueued, else default ones.

    While the database is away, what was found before counts.
    """

    def __init__(self, db: Querying) -> None:
        self._store, self._lists = DeliveryStore(db), DeliveryLists(db)
        self._found: dict[str, list[bytes]] = {}
        self._names: dict[str, set[str | None]] = {}

    async def of(self, endpoint: str, doubtful: str | None = None) -> Sequence[bytes]:
        """As found before; read again for a delivery (`doubtful`: its id) that none of them fits."""
        if doubtful is not None or endpoint not in self._found:
            with contextlib.suppress(DatabaseUnavailable):
                await self._read(endpoint, doubtful)
        return self._found.get(endpoint, [])

    async def _read(self, endpoint: str, delivery_id: str | None) -> None:
        if len(self._found) >= MOST_ENDPOINTS:
            self._found.clear()
            self._names.clear()
        names = self._names.setdefault(endpoint, {None})
        if delivery_id and (delivery := await self._lists.get(delivery_id)):
            names.add(delivery.api_key)
        secrets = [secret for name in names for secret in await self._store.signing_secrets(endpoint, name)]
        self._found[endpoint] = [key_of(secret) for secret in dict.fromkeys(secrets)]
