"""The life of one task from the log: its steps, where its time went, and why it waits."""

from collections.abc import Sequence

from service.errors import NotFound
from service.model.biography import PhaseTime, Step, Why
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
WHOLE_LIFE = 2**31 - 1


class BiographyStore:
    """Over a pool or one session. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def history(
        self, task_id: str, until: int | None = None, *, after: int = 0, limit: int = WHOLE_LIFE
    ) -> Sequence[Step]:
        """The steps of a life after a position, up to `until`; also of a task whose row is gone.

        Each call folds the life from its beginning, about 10,000 events a second. Raises NotFound for a task
        without an event up to `until`, Conflict or Invalid for an `until` that is not settled or not there.
        """
        rows = await self._db.fetch(SQL.biography, task_id, until, after, limit)
        if not rows and not (after and await self._db.fetch(SQL.biography, task_id, until, 0, 1)):
            before = f" at position {until}" if until is not None else ""
            raise NotFound(
                f"Task not found{before}: {task_id}", hint="annals tasks list shows what there is."
            )
        return [Step(*row) for row in rows]

    async def time_spent(self, task_id: str, until: int | None = None) -> Sequence[PhaseTime]:
        """Where the time of a life went, by phase; empty for a task that never was."""
        return [PhaseTime(*row) for row in await self._db.fetch(SQL.time_spent, task_id, until)]

    async def why(self, task_id: str) -> Why:
        """Why a task is not running, or what became of it. Raises NotFound."""
        row = await self._db.fetchrow(SQL.why, task_id)
        assert row is not None, "why_pending returns one row, or raises"
        return Why(*row)
