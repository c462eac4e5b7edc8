"""What a person does with followers: retry or give up parked events, rewind."""

from collections.abc import Sequence

from service.errors import AnnalsError, DatabaseUnavailable, Invalid, NotFound
from service.relay.counts import EVENT_COUNTS, TASK_COUNTS
from service.relay.follower import Follower
from service.relay.webhooks import Webhooks
from service.store.log import LogReader
from service.store.pool import Database, Session
from service.store.queries import load

SQL = load(__package__)
# Every follower there is, in the order in which `annals relay status` shows them.
FOLLOWERS: tuple[Follower, ...] = (Webhooks(), TASK_COUNTS, EVENT_COUNTS)


class StillFails(AnnalsError):
    """A parked event was tried again and failed again; it stays parked."""

    code = "still_fails"


def follower_of(name: str, followers: Sequence[Follower] = FOLLOWERS) -> Follower:
    """The follower of a name. Raises NotFound."""
    for follower in followers:
        if follower.name == name:
            return follower
    known = ", ".join(each.name for each in followers)
    raise NotFound(f"Follower not found: {name}", hint=f"There are: {known}.")


async def retry(db: Database, follower: Follower, position: int, *, actor: str) -> None:
    """Do a parked event after all. Raises NotFound when it is not parked, StillFails with the reason."""
    if not await db.fetch(SQL.parked_between, follower.name, position - 1, position):
        raise NotFound(
            f"Event {position} is not parked by {follower.name}.", hint="Those that are: annals relay parked"
        )
    event = await LogReader(db).event(position)
    assert event is not None, "what is parked is in the log"
    async with db.transaction() as connection:
        session = Session(connection)
        try:
            # Before the event that says so: nothing waits for a lock while it holds followers up. Of
            # two who retry at once, resume_event rolls one back.
            await follower.apply(session, [event], effects=True)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise StillFails(f"Event {position} fails again: {reason}", hint="It stays parked.") from error
        await session.fetchval(SQL.resume_event, follower.name, position, None, actor)


async def give_up(db: Database, name: str, position: int, reason: str, *, actor: str) -> None:
    """Take a parked event from the list without doing it. Raises NotFound when it is not parked."""
    await db.fetchval(SQL.resume_event, name, position, reason, actor)


async def rewind(db: Database, follower: Follower, position: int, effects: bool, *, actor: str) -> int:
    """Send a follower back; gives where it was.

    Raises NotFound when it never ran, Invalid for a position that is ahead of it.
    """
    if position < 0:
        raise Invalid(f"{position} is no position.", hint="0 is before the first event.")
    async with db.transaction() as connection:
        session = Session(connection)
        # Its row is locked from here on: a leader that is about to move it waits, and is then refused.
        was = int(await session.fetchval(SQL.rewind_follower, follower.name, position, effects))
        parked = await session.fetch(SQL.parked_between, follower.name, position, was)
        await follower.forget(session, position, was)
        if effects:
            # They come again with the others.
            for (each,) in parked:
                await session.fetchval(SQL.resume_event, follower.name, each, "rewound", actor)
        return was
