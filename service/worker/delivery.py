"""Getting a batch into the database: through outages, and around a row that nobody can store.

While the database is away the batch is kept and tried again. An answer that was lost with the connection
leaves open whether the batch was written, so before the next try `narrow` says what still has to be. An error
of the statement itself is tried again once, then the batch is halved until the row that causes it is alone.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from service.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
# A deadlock or a lock timeout passes; what fails three times alone fails always.
TRIES_TOGETHER, TRIES_ALONE = 2, 3


class Delivery(Generic[T]):
    """One kind of batch. `send` writes it or raises; `poison` deals with a row that cannot be written."""

    def __init__(
        self,
        name: str,
        send: Callable[[list[T]], Awaitable[None]],
        narrow: Callable[[list[T]], Awaitable[list[T]]],
        poison: Callable[[T, Exception], Awaitable[None]],
    ) -> None:
        self._name, self._send, self._narrow, self._poison = name, send, narrow, poison

    async def deliver(self, batch: list[T]) -> None:
        """Return when each row was written or dealt with. Raises nothing of the database's."""
        pause, tries, is_open = FIRST_PAUSE, 0, False
        while batch:
            try:
                if is_open:
                    batch = await self._narrow(batch)
                if batch:
                    await self._send(batch)
                return
            except DatabaseUnavailable as error:
                is_open = True
                fields = {"rows": len(batch), "error": error.hint or error.message}
                logger.warning("%s waits for the database", self._name, extra={"fields": fields})
            except Exception as error:
                tries += 1
                if tries >= (TRIES_TOGETHER if len(batch) > 1 else TRIES_ALONE):
                    return await self._split(batch, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _split(self, batch: list[T], error: Exception) -> None:
        if len(batch) == 1:
            await self._poison(batch[0], error)
            return
        middle = len(batch) // 2
        await self.deliver(batch[:middle])
        await self.deliver(batch[middle:])
