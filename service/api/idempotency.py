"""Idempotency keys for writes whose SQL function has no `request` argument of its own."""

from collections.abc import Awaitable, Callable
from typing import Any

from service.api.requests import Caller
from service.api.services import Services
from service.store.pool import Session
from service.store.queries import load

SQL = load("service.api")
Write = Callable[[Session], Awaitable[Any]]


async def once(services: Services, caller: Caller, write: Write) -> Any:
    """Run `write` in one transaction and give its result, which must be JSON.

    A request with an Idempotency-Key that was answered before gets that result, and `write` does not run; one
    that is being answered is waited for. Raises Conflict when the key came with another request, and whatever
    `write` raises: then nothing is kept.
    """
    async with services.db.transaction() as connection:
        session = Session(connection)
        if caller.request is None:
            return await write(session)
        kept = await session.fetchval(SQL.replay_request, caller.request)
        if kept is not None:
            return kept
        result = await write(session)
        await session.fetchval(SQL.keep_request, caller.request, result)
        return result
