"""The follower webhooks: what is to be told of a task that ended stands in the log before it is sent."""

from collections.abc import Sequence

from service.model.events import Event
from service.store.log import STRETCH, Found, LogReader
from service.store.pool import Querying, Session
from service.store.queries import load

SQL = load(__package__)


class Webhooks:
    """Asks for one delivery for each end of a task that named a webhook_url.

    A delivery's id follows from the event that it tells: going over a stretch again asks for nothing twice,
    also in a log that was imported.
    """

    name = "webhooks"
    rest = 0
    rings: Sequence[str] = ("annals_webhooks", "annals_events")

    async def search(self, db: Querying, after: int, limit: int) -> Found:
        """Ends of tasks with a webhook, found through the index of those; their data is left in the log."""
        settled = await LogReader(db).stable_position()
        until = min(settled, after + STRETCH)
        events = [Event(*row) for row in await db.fetch(SQL.webhook_ends, after, until, limit)]
        reached = events[-1].position if len(events) == limit else max(until, after)
        return Found(events, reached, settled)

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        """Put the requests into the log. Without effects nothing is asked for."""
        if effects:
            await db.fetch(SQL.request_webhooks, [event.position for event in events])

    async def forget(self, db: Session, after: int, until: int) -> None:
        """Nothing: what was asked for stays in the log, and is known when its event comes again."""
