"""What a follower of the log is."""

from collections.abc import Sequence
from typing import Protocol

from service.model.events import Event
from service.store.log import Found
from service.store.pool import Querying, Session


class Follower(Protocol):
    """Does something for events of the log, each exactly once, in order.

    `name` is its checkpoint's. After a batch it rests for `rest` times as long as the batch took: 0 where
    somebody waits for the effect. `rings` are the channels to ring once a batch has committed.
    """

    name: str
    rest: int
    rings: Sequence[str]

    async def search(self, db: Querying, after: int, limit: int) -> Found:
        """The next settled events that it wants, at most `limit`, and how far it looked."""

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        """Do it, in the transaction that moves the checkpoint: through `db` and nothing else.

        Called with a whole batch, or with a part of it to find the event that fails. Without `effects`
        (relay rewind --no-effects) only state is built, and nothing leaves that did before. Whatever it
        raises, except that the database is away, is held against the events.
        """

    async def forget(self, db: Session, after: int, until: int) -> None:
        """Take back what state it built of the events in (after, until]: they will come again."""
