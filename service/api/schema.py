"""Whether the database has the tables of this release.

Functions that differ do not matter: while a release is rolled out, those of the newer one serve the older.
"""

import asyncio
import time

from service.errors import AnnalsError, Conflict
from service.store.migrate import OBJECTS, check

PATIENCE_SECONDS = 3.0
KEEP_SECONDS = 30.0


def pending_migrations(dsn: str) -> list[str]:
    """The numbered migrations that are still to be applied. Raises DatabaseUnavailable."""
    return [name for name in check(dsn) if name != OBJECTS]


def require_schema(dsn: str) -> None:
    """Raise Conflict, saying what to do, unless the database has the tables of this release."""
    if pending := pending_migrations(dsn):
        raise Conflict(f"The database lacks {', '.join(pending)}.", hint="Run `annals migrate` first.")


class SchemaCheck:
    """One question at a time; a yes is believed for a while."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._current_until = 0.0
        self._asking: asyncio.Future[bool] | None = None

    async def is_current(self) -> bool:
        """False when a migration is pending, runs right now, or the database cannot be asked."""
        if time.monotonic() < self._current_until:
            return True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ask))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                is_current = await asyncio.shield(self._asking)
        except TimeoutError:
            return False
        if is_current:
            self._current_until = time.monotonic() + KEEP_SECONDS
        return is_current

    def _ask(self) -> bool:
        try:
            return not pending_migrations(self._dsn)
        except AnnalsError:
            return False
