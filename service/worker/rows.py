"""What the worker reads for its own safety."""

from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


async def held_tasks(db: Querying, worker_id: str) -> dict[str, int]:
    """Lease by task id, for the tasks the database believes this worker to be running."""
    return {row[0]: row[1] for row in await db.fetch(SQL.held, worker_id)}
