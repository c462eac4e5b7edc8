"""The followers that count: what happened to tasks, and what happened around them.

By hour (task_counts, event_counts) and in all (task_totals, event_totals); metrics read the totals.
"""

from collections.abc import Sequence

from service.model.events import Event
from service.store.log import STRETCH, Found, LogReader
from service.store.pool import Querying, Session
from service.store.queries import load

SQL = load(__package__)


class Counts:
    """Counts in the database, set by set, by one function; of the events it needs their positions."""

    rings: Sequence[str] = ()
    # Statistics may lag: under full load they get a fifth of a core, and catch up when it is over.
    rest = 4

    def __init__(self, name: str, statement: str, types: Sequence[str]) -> None:
        """`statement` calls the function, which knows the same types."""
        self.name, self._statement, self._types = name, statement, list(types)

    async def search(self, db: Querying, after: int, limit: int) -> Found:
        """Events of its types; their data is left in the log."""
        settled = await LogReader(db).stable_position()
        until = max(after, min(settled, after + STRETCH))
        rows = await db.fetch(SQL.events_to_count, after, until, self._types, limit)
        events = [Event(*row) for row in rows]
        return Found(events, events[-1].position if len(events) == limit else until, settled)

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        """Add the events to the counts; a count is state, so `effects` changes nothing."""
        positions = [event.position for event in events]
        await db.fetchval(self._statement, positions[0] - 1, positions[-1], 1, positions)

    async def forget(self, db: Session, after: int, until: int) -> None:
        """Take them off again; parked ones were never counted."""
        await db.fetchval(self._statement, after, until, -1, None)


TASK_COUNTS = Counts(
    "task_counts",
    SQL.count_task_events,
    [
        "task.enqueued",
        "task.started",
        "task.completed",
        "task.retry_scheduled",
        "task.failed",
        "task.timed_out",
        "task.cancelled",
        "task.rescued",
    ],
)
EVENT_COUNTS = Counts(
    "event_counts",
    SQL.count_events,
    [
        "webhook.requested",
        "webhook.attempt_failed",
        "webhook.delivered",
        "webhook.abandoned",
        "webhook.skipped",
        "worker.started",
        "worker.lost",
        "schedule.fired",
        "follower.parked",
    ],
)
