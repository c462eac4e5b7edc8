"""The command `annals audit at`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import click

from service.audit.counting import count_log
from service.audit.moments import Moment
from service.audit.running import INTERRUPTED, with_audit
from service.cli import Context, emit_json_lines, json_option
from service.model.task import STATUSES, Task
from service.store.console import short
from service.store.pool import Database
from service.store.tasks import TaskFilter
from service.store.travel import PastDepth, PastStore

PAGE = 1000
DEPTH_COLUMNS = ["queue", "class", "paused", *STATUSES]
TASK_COLUMNS = [
    "task_id",
    "type",
    "status",
    "queue",
    "attempt",
    "progress",
    "created_at",
    "worker_id",
    "error",
]
ATTEMPT_COLUMNS = ["attempt", "status", "started_at", "duration_ms", "worker_id", "error"]


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a position that is settled."""

    context: Context
    past: PastStore
    position: int
    recorded_at: datetime | None

    def say_where(self) -> None:
        """Which position is answered, and when its last event was recorded."""
        if self.context.as_json:
            emit_json_lines([{"position": self.position, "recorded_at": self.recorded_at}])
        elif self.recorded_at is None:
            self.context.say(f"At position {self.position}, before the first event.")
        else:
            self.context.say(
                f"At position {self.position}, recorded {self.recorded_at:%Y-%m-%d %H:%M:%S.%f}Z."
            )


@click.command()
@click.argument("moment", type=Moment())
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("--type", "task_types", multiple=True, metavar="TYPE", help="Of this type; may be repeated.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="May be repeated.")
@click.option("--queue", help="In this queue.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many tasks.")
@json_option
@click.pass_obj
def at(
    context: Context,
    moment: int | datetime,
    task_id: str | None,
    task_types: tuple[str, ...],
    statuses: tuple[str, ...],
    queue: str | None,
    limit: int,
) -> None:
    """Show the tasks and queues, or one TASK, as they were at a position of the log or at a time.

    A time is ISO 8601, in UTC unless it says otherwise, or an age such as 30m. Without TASK: how many tasks
    each queue had in which status, then the tasks, newest first. Ends with exit code 3 when TASK was not
    there, 4 when the position is not settled yet, 130 when interrupted.

    \b
    Example: annals audit at 4711
             annals audit at 2h --status running
             annals audit at 2026-01-31T12:00Z task-100000001 --json
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        past = PastStore(db)
        position = await past.settle(moment)
        look = Look(context, past, position, await past.recorded_at(position))
        if task_id is not None:
            await _show_task(look, task_id)
            return 0
        only = TaskFilter(task_types or None, statuses or None, queue)
        is_done = await count_log(context, past, position, stop) and await _show_all(look, only, limit, stop)
        return 0 if is_done else INTERRUPTED

    with_audit(context, work)


async def _show_all(look: Look, only: TaskFilter, limit: int, stop: asyncio.Event) -> bool:
    """Counts and tasks; False when that was interrupted."""
    depths = [depth for depth in await look.past.queues(look.position) if only.queue in (None, depth.queue)]
    look.say_where()
    if look.context.as_json:
        emit_json_lines(map(asdict, depths))
    elif depths:
        look.context.table("Tasks by queue and status", DEPTH_COLUMNS, map(_depth_line, depths))
    else:
        look.context.say("There were no tasks.")
    tasks: list[Task] = []
    shown, cursor = 0, None
    while depths and shown < limit and not stop.is_set():
        page = await look.past.list(look.position, only, limit=min(PAGE, limit - shown), cursor=cursor)
        shown, cursor = shown + len(page.items), page.next
        if look.context.as_json:
            emit_json_lines(map(asdict, page.items))
        else:
            tasks += page.items
        if cursor is None:
            break
    if tasks:
        look.context.table("Tasks, newest first", TASK_COLUMNS, map(_task_line, tasks))
    elif depths:
        look.context.say("No such tasks.")
    if cursor:
        look.context.say(f"The newest {shown:,}: more with --limit, fewer with --status, --queue or --type.")
    return not stop.is_set()


async def _show_task(look: Look, task_id: str) -> None:
    task = await look.past.get(task_id, look.position)
    if task is None:
        raise await look.past.explain_absence(task_id, look.position)
    attempts = await look.past.attempts(task_id, look.position)
    if look.context.as_json:
        place = {"position": look.position, "recorded_at": look.recorded_at}
        emit_json_lines([place | asdict(task) | {"attempts": [asdict(each) for each in attempts]}])
        return
    look.say_where()
    facts = {name: value for name, value in asdict(task).items() if value is not None}
    look.context.table(task_id, ["field", "value"], facts.items())
    rows = [
        (
            each.attempt,
            each.status,
            short(each.started_at),
            each.duration_ms,
            each.worker_id,
            each.error_message,
        )
        for each in attempts
    ]
    if rows:
        look.context.table("Attempts", ATTEMPT_COLUMNS, rows)


def _depth_line(depth: PastDepth) -> Sequence[object]:
    counts = [getattr(depth, status) for status in STATUSES]
    return [depth.queue, depth.task_class, "yes" if depth.paused else "", *counts]


def _task_line(task: Task) -> Sequence[object]:
    attempt = f"{task.attempt}/{task.max_attempts}"
    progress = f"{task.progress_percentage:.0f} %" if task.status in ("running", "completed") else ""
    created_at, worker = short(task.created_at), task.worker_id if task.status == "running" else None
    return (
        task.task_id,
        task.task_type,
        task.status,
        task.queue,
        attempt,
        progress,
        created_at,
        worker,
        task.error,
    )
