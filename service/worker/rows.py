"""What the worker reads for its own safety."""

from service.fleet.low_water import LowWater
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)


async def held_tasks(db: Querying, worker_id: str, low_water: LowWater | None = None) -> dict[str, int]:
    """Lease by task id, for the tasks the database believes this worker to be running.

    Who asks again and again gives a low-water mark, of what this worker runs.
    """
    rows = await db.fetch(SQL.held, worker_id, low_water.begin() if low_water else 0)
    if low_water:
        low_water.seen(rows[0]["lowest"], rows[0]["settled"])
    return {row["task_id"]: row["lease"] for row in rows if row["task_id"] is not None}
