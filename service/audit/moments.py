"""A moment of the past as people name it: a position of the log, a time, or an age."""

from datetime import UTC, datetime
from typing import Any

import click

from service.store.console import Time
from service.store.pool import Database
from service.store.travel import settle as settle_moment


class Moment(click.ParamType[int | datetime]):
    """A position, or a time (ISO 8601, or an age such as 30m)."""

    name = "POSITION|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        if isinstance(value, (int, datetime)):
            return value
        return int(value) if value.isdecimal() else Time().convert(value, param, ctx)


async def settle(db: Database, moment: int | datetime) -> int:
    """The settled position of a moment; of a time, the last one recorded at or before it.

    Raises Conflict while a transaction below the position is open, Invalid when the log has no such position.
    """
    return await settle_moment(db, moment)


def spoken(position: int, moment: int | datetime) -> str:
    """How an answer names its moment: the position, and the time that was asked for."""
    if isinstance(moment, datetime):
        return f"position {position:,} ({moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ})"
    return f"position {position:,}"
