"""What a follower of the log is."""

from collections.abc import Sequence
from typing import Protocol

from service.model.events import Event
from service.store.pool import Session


class Follower(Protocol):
    """Does something for events of the log, each exactly once, in order.

    `types` are the event types it wants (LIKE patterns); None for all. `name` is its checkpoint's. After a
    batch it rests for `rest` times as long as the batch took: 0 where somebody waits for the effect.
    """

    name: str
    types: Sequence[str] | None
    rest: int

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        """Do it, in the transaction that moves the checkpoint: through `db` and nothing else.

        Called with a whole batch, or with a part of it to find the event that fails. Without `effects`
        (relay rewind --no-effects) only state is built, and nothing leaves that did before. Whatever it
        raises, except that the database is away, is held against the events.
        """

    async def forget(self, db: Session, after: int, until: int) -> None:
        """Take back what state it built of the events in (after, until]: they will come again."""
