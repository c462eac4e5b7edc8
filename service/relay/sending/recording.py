"""Recording attempts: whatever has ended by now goes into the log in one transaction.

A delivery goes on when its attempt is recorded, never before: what is not in the log after a kill was, for
all that follows, not sent.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import DatabaseUnavailable, LeaseLost
from service.store.deliveries import DeliveryStore
from service.store.doorbell import Doorbell
from service.store.wire import encode

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 200
RECONNECT_SECONDS = 0.5
# What is known when the relay stops is still recorded, or the next one sends it again.
FAREWELL_SECONDS = 1.0


@dataclass(eq=False)
class Ended:
    """An attempt that ended, and who waits for its record."""

    delivery_id: str
    attempt: int
    outcome: str
    details: Mapping[str, object]
    recorded: "asyncio.Future[str]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Recorder:
    """One leader's pen: record() from any task, while run() runs."""

    def __init__(self, deliveries: DeliveryStore, doorbell: Doorbell, relay_id: str, term: int) -> None:
        self._deliveries, self._doorbell = deliveries, doorbell
        self._relay_id, self._term = relay_id, term
        self._ended: list[Ended] = []
        self._pushed = asyncio.Event()

    async def record(
        self, delivery_id: str, attempt: int, outcome: str, details: Mapping[str, object]
    ) -> bool:
        """Have an attempt recorded; False when the delivery has moved on without it."""
        ended = Ended(delivery_id, attempt, outcome, details)
        self._ended.append(ended)
        self._pushed.set()
        return await ended.recorded == "recorded"

    async def run(self) -> None:
        """Record until cancelled; raises LeaseLost when another leads."""
        try:
            while True:
                self._pushed.clear()
                while self._ended:
                    await self._write(self._ended[:MOST_AT_ONCE])
                await self._pushed.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(LeaseLost, DatabaseUnavailable, TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self._send(self._ended)
            raise

    async def _write(self, batch: Sequence[Ended]) -> None:
        """Record a batch, waiting for the database; what it chokes on is found out, and fails alone."""
        try:
            outcomes = await self._send(batch)
        except LeaseLost:
            raise
        except DatabaseUnavailable as error:
            logger.warning("Webhooks wait for the database", extra={"fields": {"error": error.hint}})
            await asyncio.sleep(RECONNECT_SECONDS)
            return
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    await self._write([one])
                return
            outcomes = [error]
        for ended, outcome in zip(batch, outcomes, strict=True):
            self._ended.remove(ended)
            if ended.recorded.cancelled():
                continue
            if isinstance(outcome, Exception):
                ended.recorded.set_exception(outcome)
            else:
                ended.recorded.set_result(outcome)

    async def _send(self, batch: Sequence[Ended]) -> list[str | Exception]:
        outcomes = await self._deliveries.end_attempts(
            [ended.delivery_id for ended in batch],
            [ended.attempt for ended in batch],
            [ended.outcome for ended in batch],
            [encode(ended.details) for ended in batch],
            self._relay_id,
            self._term,
        )
        self._doorbell.ring("annals_events")
        return list(outcomes)
