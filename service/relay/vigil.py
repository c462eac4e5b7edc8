"""Watching over the workers: duties of the relay that leads, each over a connection of its own."""

import asyncio
import logging

from service.errors import DatabaseUnavailable, LeaseLost
from service.fleet.duty import Duty
from service.store.pool import Database

logger = logging.getLogger(__name__)
RECONNECT_SECONDS = 0.5


async def keep_watch(db: Database, duty: Duty, pause: float, patience: float) -> None:
    """Look every `pause` seconds until cancelled, or until another relay leads.

    A look that takes longer than `patience` seconds is given up, and its connection with it.
    """
    while True:
        try:
            async with db.session() as session:
                while True:
                    async with asyncio.timeout(patience):
                        await duty.look(session)
                    await asyncio.sleep(pause)
        except LeaseLost:
            return
        except (DatabaseUnavailable, TimeoutError) as error:
            fields = {"error": str(error) or "no answer"}
            logger.warning("The watch over the workers is interrupted", extra={"fields": fields})
        duty.interrupted()
        await asyncio.sleep(RECONNECT_SECONDS)
