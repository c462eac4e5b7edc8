"""The commands `annals retention status|run`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import click

from service.audit.running import INTERRUPTED, progress_bar, with_audit
from service.cli import Context, json_option
from service.sections import RetentionSettings
from service.store.console import actor, short, with_database
from service.store.pool import Database
from service.store.retention import Batch, Retained, RetentionStore

AGES = [name for name in RetentionSettings.model_fields if name.endswith(("_hours", "_days"))]
WHATS = [name.rsplit("_", 1)[0] for name in AGES]
STATUS_COLUMNS = ["what", "kept", "walked_to", "walked_to_at", "waiting", "removed", "batches", "applied_at"]
RUN_COLUMNS = ["what", "kept", "cutoff", "up_to_position", "rows"]


@click.group()
def retention() -> None:
    """Remove rows that are kept no longer. The leading relay does it by itself; the log stays whole.

    \b
    Example: annals retention status
             annals retention run --dry-run
    """


@retention.command()
@json_option
@click.pass_obj
def status(context: Context) -> None:
    """Show what is kept for how long, how far the log was walked, and what was removed.

    `waiting` is what the next batch would remove; a + says that there may be more.

    \b
    Example: annals retention status --json
    """
    kept = context.settings.retention.kept()

    async def look(db: Database) -> list[Retained]:
        return [await RetentionStore(db).look(what, age) for what, age in kept.items()]

    rows = with_database(context, look)
    context.table("Retention", STATUS_COLUMNS, [_status_cells(context, row, kept[row.what]) for row in rows])
    if not context.settings.retention.enabled:
        context.say("The relay removes nothing: retention.enabled is false.")


@retention.command()
@click.option("--dry-run", is_flag=True, help="Count what would go, and change nothing.")
@click.option("--what", "names", multiple=True, type=click.Choice(WHATS), help="Only this; may be repeated.")
@json_option
@click.pass_obj
def run(context: Context, dry_run: bool, names: tuple[str, ...]) -> None:
    """Remove what is kept no longer, now. Each batch is one event and one transaction.

    Ends with exit code 130 when interrupted: the batches until then are done, the rest is for the next run.

    \b
    Example: annals retention run --dry-run
             annals retention run --what attempts --what coverage_history
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        kept = context.settings.retention.kept()
        passes = []
        for what in names or kept:
            if not stop.is_set():
                passes.append(await _pass(context, db, stop, what, kept[what], dry_run))
        title = "Would be removed" if dry_run else "Removed"
        context.table(title, RUN_COLUMNS, [each.cells(context) for each in passes])
        if stop.is_set():
            context.say("Interrupted: the rest is as it was.")
        return INTERRUPTED if stop.is_set() else 0

    with_audit(context, work)


@dataclass(frozen=True)
class Pass:
    """One kind of rows, walked to the end or to an interruption; `last` is its last batch, with all rows."""

    what: str
    kept: timedelta
    cutoff: datetime
    last: Batch

    def cells(self, context: Context) -> Sequence[object]:
        kept = self.kept.total_seconds() if context.as_json else _age(self.kept)
        cutoff = self.cutoff if context.as_json else short(self.cutoff)
        return self.what, kept, cutoff, self.last.up_to_position, self.last.removed


async def _pass(
    context: Context, db: Database, stop: asyncio.Event, what: str, kept: timedelta, dry_run: bool
) -> Pass:
    cutoff, last = datetime.now(UTC) - kept, Batch(0, None, None, False)
    step = await _step(context, db, what, kept, dry_run)
    with progress_bar(context, what, None) as tell:
        while not (last.done or stop.is_set()):
            began = time.monotonic()
            batch = await step(last.up_to_position)
            last = replace(batch, removed=last.removed + batch.removed)
            left = (batch.end_position or 0) - (batch.up_to_position or 0)
            tell(last.removed, f"{what}: {last.removed:,} rows, {left:,} events left to look at")
            if not dry_run:
                await asyncio.sleep(time.monotonic() - began)  # half of the time is others'
    return Pass(what, kept, cutoff, last)


async def _step(
    context: Context, db: Database, what: str, kept: timedelta, dry_run: bool
) -> Callable[[int | None], Awaitable[Batch]]:
    """The function that does, or only looks at, the batch after a position."""
    store, batch = RetentionStore(db), context.settings.retention.batch
    if dry_run:
        return lambda after: store.preview(what, kept, batch, after)
    who = await actor(db)
    return lambda _: store.apply(what, kept, batch, actor=who)


def _status_cells(context: Context, row: Retained, kept: timedelta) -> Sequence[object]:
    waiting = f"{row.waiting:,}+" if row.waiting_more else f"{row.waiting:,}"
    cells: list[object] = [row.what, _age(kept), row.walked_to, short(row.walked_to_at), waiting]
    cells += [row.removed, row.batches, short(row.applied_at)]
    if context.as_json:
        cells[1], cells[3], cells[4] = kept.total_seconds(), row.walked_to_at, row.waiting
        cells[7] = row.applied_at
    return cells


def _age(kept: timedelta) -> str:
    """An age as the settings say it: 36 h, 30 d."""
    hours = kept.total_seconds() / 3600
    return f"{hours / 24:g} d" if hours > 48 else f"{hours:g} h"
