"""What the audit's commands share: the database, an end by signal, a bar for what takes long."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from service.cli import Context
from service.lifecycle import run
from service.store.console import opened
from service.store.pool import Database

INTERRUPTED = 130


def with_audit(context: Context, work: Callable[[Database, asyncio.Event], Awaitable[int]]) -> None:
    """Open the database, do the work until it ends or a signal comes, and end with its exit code."""

    async def main(stop: asyncio.Event, dsn: str) -> int:
        async with opened(context.settings, dsn) as db:
            return await work(db, stop)

    with context.database() as dsn:
        code = run(lambda stop: main(stop, dsn))
    click.get_current_context().exit(code)


@contextmanager
def progress_bar(
    context: Context, description: str, total: int | None, unit: str = "events"
) -> Iterator[Callable[[int, str], None]]:
    """A bar on stderr with rate and time left, where a person sees it.

    Gives the function that moves it: what is done so far, in units, and what to say before the bar.
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=context.as_json or not console.is_terminal) as bar:
        task = bar.add_task(description, total=total or None, rate="")

        def tell(done: int, description: str) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, completed=done, rate=rate, description=description)

        yield tell
