"""The command `annals webhooks replay`."""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import click

from service import lifecycle
from service.audit.moments import Moment
from service.audit.running import INTERRUPTED, progress_bar
from service.cli import Context, emit_json_lines, json_option
from service.errors import Invalid
from service.store.console import actor, opened
from service.store.deliveries import DeliveryStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.travel import settle

# Rows of one transaction: each holds the numbers of its endpoints for as long as it lasts.
BATCH = 500
REPLAYABLE = ("delivered", "abandoned", "skipped", "unknown")
COLUMNS = ["endpoint", "outcome", "deliveries"]


@dataclass
class Stretch:
    """What is to be sent again, and how far that is; positions are 0 until the moments are settled."""

    start: int | datetime
    end: int | datetime | None
    endpoint: str | None
    statuses: tuple[str, ...] | None
    reason: str | None
    after: int = 0
    until: int = 0
    reached: int = 0
    counts: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    async def settle(self, db: Database) -> None:
        """Find the positions, once: what is sent is what was counted. Raises Invalid, Conflict."""
        if not self.until:
            self.after = await settle(db, self.start)
            end = self.end
            self.until = await LogReader(db).stable_position() if end is None else await settle(db, end)


@click.command()
@click.option("--from", "start", type=Moment(), required=True, help="Tasks that ended after this.")
@click.option("--to", "end", type=Moment(), help="And up to this; now when left out.")
@click.option("--endpoint", metavar="URL", help="Only to this endpoint.")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(REPLAYABLE), help="Only those; may be repeated."
)
@click.option("--reason", help="Why; kept in the log.")
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def replay(
    context: Context,
    start: int | datetime,
    end: int | datetime | None,
    endpoint: str | None,
    statuses: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send the webhooks of a stretch of the log again, oldest first, under the same ids and numbers.

    A moment is a position of the log, a time (UTC unless it says otherwise) or an age such as 30m. Without
    --yes it counts first, and asks. `unknown` are webhooks that were never requested, or are gone from the
    list. Exit code 130 when interrupted; what it says then goes on from there.

    \b
    Example: annals webhooks replay --from 2h --dry-run
             annals webhooks replay --from 4711 --to 5000 --endpoint https://example.com/hook --yes
    """
    if not (dry_run or yes) and (context.as_json or not sys.stdin.isatty()):
        raise Invalid("Nobody is there to be asked.", hint="Look with --dry-run, then add --yes.")
    stretch = Stretch(start, end, endpoint, statuses or None, reason)
    with context.database() as dsn:
        code = 0
        if not yes or dry_run:
            code = _run(context, dsn, stretch, dry_run=True)
        if not dry_run and code == 0:
            # Outside of any loop, so that Ctrl-C ends the question.
            _ = yes or click.confirm("Send these again?", abort=True, err=True)
            code = _run(context, dsn, stretch, dry_run=False)
    click.get_current_context().exit(code)


def _run(context: Context, dsn: str, stretch: Stretch, *, dry_run: bool) -> int:
    async def main(stop: asyncio.Event) -> int:
        async with opened(context.settings, dsn) as db:
            await stretch.settle(db)
            is_done = await go(context, db, stretch, stop, dry_run)
        _show(context, stretch, dry_run)
        if not is_done:
            context.say(f"Interrupted. Go on with: --from {stretch.reached} --to {stretch.until}")
        return 0 if is_done else INTERRUPTED

    return lifecycle.run(main)


async def go(context: Context, db: Database, stretch: Stretch, stop: asyncio.Event, dry_run: bool) -> bool:
    """Batch by batch to the end, each done whole or not at all; False when a signal came in between."""
    stretch.reached = stretch.after
    stretch.counts.clear()
    store, who = DeliveryStore(db), await actor(db)
    words = "counting" if dry_run else "sending again"
    with progress_bar(context, words, stretch.until - stretch.after, "positions") as tell:
        while not stop.is_set():
            rows = await store.replay(
                stretch.reached,
                stretch.until,
                endpoint=stretch.endpoint,
                statuses=stretch.statuses,
                dry_run=dry_run,
                limit=BATCH,
                reason=stretch.reason,
                actor=who,
            )
            stretch.counts.update((row.endpoint, row.outcome) for row in rows)
            is_last = len(rows) < BATCH
            stretch.reached = stretch.until if is_last else rows[-1].event_position
            tell(stretch.reached - stretch.after, words)
            if is_last:
                return True
    return False


def _show(context: Context, stretch: Stretch, dry_run: bool) -> None:
    found = sorted(stretch.counts.items(), key=lambda each: (each[0][0] or "", each[0][1]))
    if found:
        title = "Would be sent again" if dry_run else "Sent again"
        context.table(title, COLUMNS, [(*each, number) for each, number in found])
    facts = {"from_position": stretch.after, "to_position": stretch.until, "dry_run": dry_run}
    if context.as_json:
        emit_json_lines([facts | {"reached": stretch.reached, "deliveries": stretch.counts.total()}])
        return
    context.say(
        f"{stretch.counts.total():,} deliveries between positions {stretch.after:,} and {stretch.until:,}."
        + (" Nothing was done." if dry_run else "")
    )
