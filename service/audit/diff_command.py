"""The command `annals audit diff`: what changed between two moments."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar

import click

from service.audit import diff_tables
from service.audit.counting import count_log
from service.audit.moments import Moment
from service.audit.running import INTERRUPTED, progress_bar, with_audit
from service.cli import Context, emit_json_lines, json_option
from service.errors import Invalid
from service.store.diff import SECTIONS
from service.store.diff import diff as compare
from service.store.log import LogReader
from service.store.pool import Database
from service.store.travel import PastStore

Result = TypeVar("Result")


@click.command()
@click.argument("a", metavar="A", type=Moment())
@click.argument("b", metavar="[B]", type=Moment(), required=False)
@json_option
@click.pass_obj
def diff(context: Context, a: int | datetime, b: int | datetime | None) -> None:
    """Tell what changed after A and up to B, each a position, a time or an age; B is now when left out.

    Tasks by type and outcome, errors in groups (new, ongoing, gone quiet), queues before and after, coverage,
    and who did what else. Errors are compared with as many positions before A.

    \b
    Example: annals audit diff 1h
             annals audit diff 2026-01-31T12:00 2026-01-31T13:00
             annals audit diff 4711 5000 --json | jq .errors
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        past = PastStore(db)
        earlier = await past.settle(a)
        later = await LogReader(db).stable_position() if b is None else await past.settle(b)
        if earlier > later:
            raise Invalid(
                f"A (position {earlier:,}) lies after B (position {later:,}).",
                hint="Swap them: annals audit diff B A",
            )
        if not await count_log(context, past, later, stop):
            return INTERRUPTED
        with progress_bar(context, "comparing", len(SECTIONS), "sections") as tell:
            found = await until_stopped(compare(db, earlier, later, tell), stop)
        if found is None:
            return INTERRUPTED
        if context.as_json:
            emit_json_lines([asdict(found)])
        else:
            diff_tables.show(context, found)
        return 0

    with_audit(context, work)


async def until_stopped(work: Awaitable[Result], stop: asyncio.Event) -> Result | None:
    """The outcome of `work`; None when a signal came first, which cancels its statement on the server."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
