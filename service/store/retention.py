"""Retention: removing what is kept no longer, batch by batch, and how far that has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: rows removed (or that would be), how far it came and how far there is to go.

    Positions are None for idempotency keys. `position` is that of its event; None when nothing was removed.
    """

    removed: int
    up_to_position: int | None
    end_position: int | None
    done: bool
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Retained:
    """One kind of rows: how far the log was walked, what was removed so far, and what is waiting to be.

    `waiting` counts up to a bound; `waiting_more` tells that there may be more.
    """

    what: str
    walked_to: int | None
    walked_to_at: datetime | None
    waiting: int
    waiting_more: bool
    removed: int
    batches: int
    applied_at: datetime | None


class RetentionStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def apply(
        self,
        what: str,
        kept: timedelta,
        batch: int,
        *,
        relay: tuple[str, int] | None = None,
        actor: str | None = None,
    ) -> Batch:
        """Remove the next batch of one kind of rows. A relay names itself and its term, a person an actor.

        Ring "annals_events" afterwards. Raises Invalid, LeaseLost.
        """
        relay_id, term = relay or (None, None)
        row = await self._db.fetchrow(SQL.apply_retention, what, kept, batch, relay_id, term, actor)
        assert row is not None, "the function always answers"
        return Batch(*row)

    async def preview(self, what: str, kept: timedelta, batch: int, after: int | None = None) -> Batch:
        """What the next batch would remove, or the one after a position; nothing is. Raises Invalid."""
        row = await self._db.fetchrow(SQL.preview_retention, what, kept, batch, after)
        assert row is not None, "the function always answers"
        return Batch(*row)

    async def look(self, what: str, kept: timedelta, bound: int = 1000) -> Retained:
        """How far one kind of rows has come; at most one batch of `bound` is counted. Raises Invalid."""
        row = await self._db.fetchrow(SQL.retention_status, what, kept, bound)
        assert row is not None, "there is a row for every kind"
        return Retained(*row)
