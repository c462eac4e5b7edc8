"""The follower task_counts: what happened to tasks, by type and hour (table task_counts)."""

from collections.abc import Sequence

from service.model.events import Event
from service.store.log import Found, LogReader
from service.store.pool import Querying, Session
from service.store.queries import load

SQL = load(__package__)
COUNTED = (
    "task.enqueued",
    "task.started",
    "task.completed",
    "task.retry_scheduled",
    "task.failed",
    "task.timed_out",
    "task.cancelled",
)


class TaskCounts:
    """Counts in the database, set by set; of the events it needs their positions."""

    name = "task_counts"
    rings: Sequence[str] = ()
    # Statistics may lag: under full load they get a fifth of a core, and catch up when it is over.
    rest = 4

    async def search(self, db: Querying, after: int, limit: int) -> Found:
        """What began, ended or is tried again."""
        return await LogReader(db).search(after, limit, types=COUNTED)

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        """Add the events to the counts; a count is state, so `effects` changes nothing."""
        positions = [event.position for event in events]
        await db.fetchval(SQL.count_task_events, positions[0] - 1, positions[-1], 1, positions)

    async def forget(self, db: Session, after: int, until: int) -> None:
        """Take them off again; parked ones were never counted."""
        await db.fetchval(SQL.count_task_events, after, until, -1, None)
