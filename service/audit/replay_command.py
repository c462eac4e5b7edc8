"""The command `annals audit replay`."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime

import click
from rich.console import Console

from service.audit import timeline
from service.audit.moments import Moment
from service.audit.replay import Life
from service.audit.replay import replay as tell_life
from service.audit.running import INTERRUPTED, with_audit
from service.cli import Context, emit_json_lines, json_option
from service.lifecycle import before
from service.model.biography import Step
from service.store.pool import Database
from service.store.travel import settle

COLUMNS = ["position", "recorded_at", "gap", "type", "status", "attempt", "actor", "reason", "changes"]


@click.command()
@click.argument("task_id", metavar="TASK")
@click.option("--until", type=Moment(), help="Stop at this position of the log, time, or age such as 30m.")
@click.option("--full", is_flag=True, help="Every event by itself, every value whole, every traceback.")
@json_option
@click.pass_obj
def replay(context: Context, task_id: str, until: int | datetime | None, full: bool) -> None:
    """Tell a task's life: each event, by whom, why, how long after the one before, and what it changed.

    Then where its time went. Also of a task whose row is gone. At a terminal, events that repeat are folded
    into one line unless --full; in a pipe each is a line, with --json one object with everything.

    \b
    Example: annals audit replay task-100000001
             annals audit replay task-100000001 --until 2026-01-31T12:00Z
             annals audit replay task-100000001 --json | jq .changes
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        position = None if until is None else await settle(db, until)
        life = await before(stop, tell_life(db, task_id, position))
        if life is None:
            return INTERRUPTED
        if context.as_json:
            emit_json_lines(life.as_records())
        elif sys.stdout.isatty():
            timeline.show(Console(), life, full=full)
        else:
            _print_plain(context, life)
        return 0

    with_audit(context, work)


def _print_plain(context: Context, life: Life) -> None:
    context.table(life.task_id, COLUMNS, map(_row, life.steps))
    context.say("")
    phases = [(each.phase, round(each.seconds, 6), f"{each.share:.1%}") for each in life.time_spent]
    context.table("Time", ["phase", "seconds", "share"], phases)


def _row(step: Step) -> Sequence[object]:
    gap = "" if step.gap is None else timeline.duration(step.gap)
    changes = timeline.described([step])
    return (
        *(step.position, step.recorded_at, gap, step.type, step.status or "gone", step.attempt, step.actor),
        *(step.reason, changes),
    )
