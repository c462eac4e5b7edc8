"""What changed between two settled positions of the log, section by section."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.errors import Invalid
from service.store.pool import Database
from service.store.queries import load

SQL = load(__package__)
SECTIONS = ("tasks", "errors", "queues", "coverage", "events")
# A statement over millions of events; who asked is told how far it is, and may interrupt it.
PATIENCE_SECONDS = 3600.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Diff:
    """The events after `earlier`, up to `later`; the sections' rows are those of the functions diff_*.

    The times are those of the last event at or below each position; None before the first event.
    """

    earlier: int
    later: int
    earlier_at: datetime | None
    later_at: datetime | None
    count: int
    tasks: list[Row]
    errors: list[Row]
    queues: list[Row]
    coverage: list[Row]
    events: list[Row]

    def total(self, column: str) -> int:
        """A count of tasks over all types."""
        return sum(row[column] for row in self.tasks)


async def diff(
    db: Database, earlier: int, later: int, tell: Callable[[int, str], None] = lambda done, section: None
) -> Diff:
    """Compare. Raises Invalid when `earlier` lies after `later`, Conflict when `later` is not settled.

    `tell` hears how many sections are done, and which one comes. Memory is what the answer needs: the
    counting is done by the server.
    """
    if earlier > later:
        raise Invalid(
            f"Position {earlier} lies after position {later}.", hint="Name the earlier moment first."
        )
    found: dict[str, list[Row]] = {}
    async with db.acquire() as connection:
        for done, section in enumerate(SECTIONS):
            tell(done, section)
            statement = SQL[f"diff_{section}"]
            rows = await connection.fetch(statement, earlier, later, timeout=PATIENCE_SECONDS)
            found[section] = [dict(row) for row in rows]
        bounds = await connection.fetchrow(SQL.diff_bounds, earlier, later, timeout=PATIENCE_SECONDS)
    assert bounds is not None, "the statement has no FROM"
    earlier_at, later_at, count = bounds
    return Diff(earlier, later, earlier_at, later_at, count, *(found[section] for section in SECTIONS))
