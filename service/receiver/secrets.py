"""Where a receiver's keys come from: the command line, or the database that signs."""

import contextlib
import time
from collections.abc import Sequence

from service.errors import DatabaseUnavailable
from service.receiver.signature import key_of
from service.store.deliveries import DeliveryStore

# A look at the database for each bad signature would let anybody load it.
PAUSE_SECONDS = 0.5
# The name of an endpoint comes with the request: anybody may make up as many as they like.
MOST_ENDPOINTS = 1000


class GivenKeys:
    """The same for every endpoint. Raises ValueError for a secret that is none."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._keys = [key_of(secret) for secret in secrets]

    async def of(self, endpoint: str, anew: bool = False) -> Sequence[bytes]:
        """Those given; none when none were."""
        return self._keys


class StoredKeys:
    """Those that sign for an endpoint: its own, else the default ones. Those of API keys are not looked for.

    While the database is away, what was found before counts.
    """

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store
        self._found: dict[str, tuple[float, Sequence[bytes]]] = {}

    async def of(self, endpoint: str, anew: bool = False) -> Sequence[bytes]:
        """As found before; read `anew` at most every half second."""
        read_at, keys = self._found.get(endpoint, (float("-inf"), ()))
        now = time.monotonic()
        if read_at == float("-inf") or (anew and now - read_at > PAUSE_SECONDS):
            with contextlib.suppress(DatabaseUnavailable):
                keys = [key_of(secret) for secret in await self._store.signing_secrets(endpoint, None)]
            if len(self._found) >= MOST_ENDPOINTS:
                self._found.clear()
            self._found[endpoint] = (now, keys)
        return keys
