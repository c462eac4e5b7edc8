"""What the commands over the database share: connecting, times, and whose name stands in the log."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import click

from service.cli import Context
from service.errors import Conflict
from service.settings import Settings
from service.store.pool import Database
from service.store.queries import load

SQL = load(__package__)
Result = TypeVar("Result")
NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError, asyncpg.UndefinedColumnError)


@asynccontextmanager
async def opened(settings: Settings, dsn: str) -> AsyncIterator[Database]:
    """The database for one command. Raises Conflict when it was never migrated, or not by this release."""
    try:
        async with await Database.open(settings.database, dsn) as db:
            yield db
    except NOT_MIGRATED as error:
        raise Conflict("The database is not at this release's schema.", hint="annals migrate") from error


def with_database(context: Context, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run `work` on the database of a command to its end."""

    async def run(dsn: str) -> Result:
        async with opened(context.settings, dsn) as db:
            return await work(db)

    with context.database() as dsn:
        return asyncio.run(run(dsn))


async def actor(db: Database) -> str:
    """Who acts at a terminal: the role, as in psql."""
    return str(await db.fetchval(SQL.default_actor))


class Time(click.ParamType[datetime]):
    """A time as an option: ISO 8601, in UTC unless it says otherwise; or an age such as 30m, 12h or 7d."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if age := re.fullmatch(r"(\d+)([smhd])", value):
            seconds = int(age[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[age[2]]
            return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time: use 2026-01-31T12:00Z, 2026-01-31, or an age such as 30m.", param, ctx
            )
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def short(time: datetime | None) -> str:
    """A time for people: to the second, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if time else ""
