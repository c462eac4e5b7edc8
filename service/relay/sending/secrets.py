"""The secrets that sign, remembered for a few seconds."""

import asyncio

from service.store.deliveries import DeliveryStore

REMEMBERED_SECONDS = 3.0
Scope = tuple[str, str | None]


class Secrets:
    """What is in force for an endpoint and an API key; forget() when one may have been rotated."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries
        self._known: dict[Scope, tuple[float, list[str]]] = {}
        # Many deliveries begin at once: one asks, the others find the answer.
        self._asking = asyncio.Lock()

    async def of(self, endpoint: str, api_key: str | None) -> list[str]:
        """The secrets that sign now, the newest first. Raises DatabaseUnavailable."""
        scope, clock = (endpoint, api_key), asyncio.get_running_loop().time
        async with self._asking:
            known = self._known.get(scope)
            if known is None or known[0] < clock():
                found = await self._deliveries.signing_secrets(endpoint, api_key)
                known = self._known[scope] = clock() + REMEMBERED_SECONDS, found
        return known[1]

    def forget(self) -> None:
        """Ask again from now on."""
        self._known = {}
