"""The commands `annals events tail|show`."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import Conflict, DatabaseUnavailable, Invalid, NotFound
from service.lifecycle import run
from service.model.events import Event
from service.store.console import opened, short, with_database
from service.store.log import LogReader
from service.store.pool import Database
from service.store.wakeups import Wakeup, Wakeups

BATCH = 500
# What a lost wake-up, or an event that settles after its ring, costs.
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
COLUMNS = ["position", "recorded_at", "type", "stream", "version", "actor", "data"]
WIDTHS = (9, 19, 26, 30)


@dataclass(frozen=True)
class Wanted:
    """Which events, from where on (None: the last `lines`), and whether to wait for more."""

    after: str | None
    lines: int
    types: Sequence[str] | None
    stream_type: str | None
    stream_id: str | None
    follow: bool


@click.group()
def events() -> None:
    """Read the log: follow it, or show a stream.

    \b
    Example: annals events tail
             annals events show task-100000000
    """


@events.command()
@click.option("--after", metavar="POSITION", help="Begin after this position, or after a cursor of --json.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Else so far back."
)
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type; may be repeated.")
@click.option("--stream", metavar="TYPE[/ID]", help="Only this stream, or streams of this type.")
@click.option("--follow/--no-follow", default=True, help="Go on as the log grows.", show_default=True)
@json_option
@click.pass_obj
def tail(
    context: Context, after: str | None, lines: int, types: tuple[str, ...], stream: str | None, follow: bool
) -> None:
    """Print events as the log grows, without skipping any, until Ctrl-C.

    With --json each line carries a cursor; `--after` takes it up again, and refuses it when the log is
    another one by now.

    \b
    Example: annals events tail
             annals events tail --type task.failed --json
             annals events tail --after 4711 --no-follow
    """
    stream_type, _, stream_id = (stream or "").partition("/")
    wanted = Wanted(after, lines, types or None, stream_type or None, stream_id or None, follow)
    with context.database() as dsn:
        run(lambda shutdown: _until(shutdown, _tail(context, dsn, wanted)))


@events.command()
@click.argument("what", metavar="TASK_ID | TYPE/ID | POSITION")
@json_option
@click.pass_obj
def show(context: Context, what: str) -> None:
    """Show the events of a task or of any stream, or the one at a position.

    \b
    Example: annals events show task-100000001
             annals events show worker/w-1
             annals events show 4711
    """

    async def look(db: Database) -> list[Event]:
        log = LogReader(db)
        if what.isdecimal():
            found = await log.event(_position(what))
            return [found] if found else []
        stream_type, slash, stream_id = what.partition("/")
        return await log.stream(stream_type, stream_id) if slash else await log.stream("task", what)

    found = with_database(context, look)
    if not found:
        raise NotFound(f"No events: {what}", hint="Name a task id, a stream as worker/w-1, or a position.")
    if context.as_json:
        emit_json_lines(event._asdict() for event in found)
    else:
        context.table(what, COLUMNS, map(_cells, found))


async def _until(shutdown: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` to its end, or until the shutdown."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(shutdown.wait())
    await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    else:
        await task


async def _tail(context: Context, dsn: str, wanted: Wanted) -> None:
    settings = context.settings
    async with opened(settings, dsn) as db:
        log = LogReader(db)
        epoch = await log.epoch()
        position = await _start(log, wanted, epoch)
        show = _json_line(epoch) if context.as_json else _text_line
        if not wanted.follow:
            await _print_new(log, wanted, position, show)
            return
        async with Wakeups(settings.database.listen_url or dsn, settings.wakeup) as wakeups:
            await _follow(log, wanted, position, show, wakeups.subscribe("annals_events"))


async def _follow(
    log: LogReader, wanted: Wanted, position: int, show: Callable[[Event], None], wakeup: Wakeup
) -> None:
    """Print and wait, for ever; while the database is away, wait for it."""
    while True:
        wakeup.clear()
        try:
            position = await _print_new(log, wanted, position, show)
        except DatabaseUnavailable as error:
            click.echo(f"{error.message} Waiting for it.", err=True)
            await asyncio.sleep(RETRY_SECONDS)
        await wakeup.wait(POLL_SECONDS)


async def _print_new(log: LogReader, wanted: Wanted, position: int, show: Callable[[Event], None]) -> int:
    """Print what is settled after the position, and give the one it has come to."""
    while True:
        found = await log.search(
            position,
            BATCH,
            types=wanted.types,
            stream_type=wanted.stream_type,
            stream_id=wanted.stream_id,
        )
        for event in found.events:
            show(event)
        position = found.position
        if position >= found.settled:
            return position


async def _start(log: LogReader, wanted: Wanted, epoch: str) -> int:
    """Where to begin. Raises Conflict for a cursor of another log, or one beyond the end."""
    if wanted.after is None:
        return max(0, await log.stable_position() - wanted.lines)
    cursor_epoch, colon, position = wanted.after.rpartition(":")
    if colon and cursor_epoch != epoch:
        raise Conflict("The cursor is of another log.", hint="Begin again: --after 0")
    if (after := _position(position)) > await log.head():
        raise Conflict(f"Position {after} is beyond the end of the log.", hint="Begin again: --after 0")
    return after


def _position(text: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        raise Invalid(f"{text!r} is no position.", hint="A position is a whole number, as in --after 4711.")
    return int(text)


def _json_line(epoch: str) -> Callable[[Event], None]:
    return lambda event: emit_json_lines([{"cursor": f"{epoch}:{event.position}"} | event._asdict()])


def _text_line(event: Event) -> None:
    """One line each, in columns that need not know what comes."""
    position, at, kind, stream, _, actor, data = _cells(event)
    line = "  ".join(
        str(cell).ljust(width) for cell, width in zip((position, at, kind, stream), WIDTHS, strict=True)
    )
    click.echo(f"{line}  {actor}  {data}")


def _cells(event: Event) -> Sequence[object]:
    data = json.dumps(event.data, ensure_ascii=False)
    stream = f"{event.stream_type}/{event.stream_id}"
    return event.position, short(event.recorded_at), event.type, stream, event.version, event.actor, data
