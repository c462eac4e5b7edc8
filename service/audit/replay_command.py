"""The command `annals audit replay`."""

import asyncio
import sys

import click
from rich.console import Console

from service.audit import timeline
from service.audit.replay import Step
from service.audit.replay import replay as tell_life
from service.audit.running import with_audit
from service.cli import Context, emit_json_lines, json_option
from service.store.pool import Database


@click.command()
@click.argument("task_id", metavar="TASK")
@click.option("--until", type=int, metavar="POSITION", help="Stop at this position of the log.")
@json_option
@click.pass_obj
def replay(context: Context, task_id: str, until: int | None) -> None:
    """Tell a task's life: each event, who caused it, how long after the one before, and the state after it.

    \b
    Example: annals audit replay task-100000001
             annals audit replay task-100000001 --until 4711 --json
    """

    async def work(db: Database, _: asyncio.Event) -> int:
        steps = await tell_life(db, task_id, until)
        if context.as_json:
            emit_json_lines(step.as_record() for step in steps)
        elif sys.stdout.isatty():
            timeline.show(Console(), task_id, steps)
        else:
            context.table(
                task_id,
                ["version", "recorded_at", "gap", "type", "status", "actor", "changes"],
                map(_row, steps),
            )
        return 0

    with_audit(context, work)


def _row(step: Step) -> list[object]:
    gap = "" if step.gap is None else timeline.duration(step.gap)
    return [step.version, step.recorded_at, gap, step.type, step.status, step.actor, timeline.described(step)]
