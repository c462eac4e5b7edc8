"""Whether the API may serve on this database: it has the tables of this release."""

import asyncio
import time

from service.errors import AnnalsError, Conflict
from service.store.pool import Querying
from service.store.schema import pending_migrations

PATIENCE_SECONDS = 3.0
KEEP_SECONDS = 30.0


async def require_schema(db: Querying) -> None:
    """Raise Conflict, saying what to do, unless the database has the tables of this release."""
    if pending := await pending_migrations(db):
        raise Conflict(f"The database lacks {', '.join(pending)}.", hint="Run `annals migrate` first.")


class SchemaCheck:
    """A yes is believed for a while."""

    def __init__(self, db: Querying) -> None:
        self._db = db
        self._current_until = 0.0

    async def is_current(self) -> bool:
        """False when a migration is pending, runs right now, or the database cannot be asked."""
        if time.monotonic() < self._current_until:
            return True
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                is_current = not await pending_migrations(self._db)
        except (AnnalsError, TimeoutError):
            return False
        if is_current:
            self._current_until = time.monotonic() + KEEP_SECONDS
        return is_current
