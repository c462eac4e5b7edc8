"""The commands `annals tasks list|show|cancel|retry`, and the group with `enqueue` and `why`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import Conflict, NotFound
from service.model.task import STATUSES, Attempt, Changed, Place, Task
from service.store.console import Time, actor, short, with_database
from service.store.enqueue_command import enqueue_file
from service.store.pool import Database
from service.store.tasks import TaskFilter, TaskStore
from service.store.why_command import why

PAGE = 500
LIST_COLUMNS = ["task_id", "type", "status", "queue", "attempt", "progress", "created_at", "note"]
ATTEMPT_COLUMNS = ["attempt", "status", "started_at", "duration_ms", "worker_id", "error"]


@click.group()
def tasks() -> None:
    """Enqueue, list, show, explain, cancel and retry tasks.

    \b
    Example: annals tasks list --status running
             annals tasks show task-100000000
             annals tasks why task-100000000
    """


tasks.add_command(enqueue_file)
tasks.add_command(why)


@tasks.command("list")
@click.option("--type", "task_types", multiple=True, metavar="TYPE", help="Of this type; may be repeated.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="May be repeated.")
@click.option("--queue", help="In this queue.")
@click.option("--subject", help="About this, as agent:<id>.")
@click.option("--since", type=Time(), help="Created at or after: a time, or an age such as 2h.")
@click.option("--until", type=Time(), help="Created before.")
@click.option("--text", help="Found in id, type, subject or error.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def list_tasks(
    context: Context,
    task_types: tuple[str, ...],
    statuses: tuple[str, ...],
    queue: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    text: str | None,
    limit: int,
) -> None:
    """List tasks, newest first.

    \b
    Example: annals tasks list --status failed --since 2h
             annals tasks list --json --limit 1000 | jq .task_id
    """
    only = TaskFilter(task_types or None, statuses or None, queue, subject, since, until, text)
    found = with_database(context, lambda db: _collect(TaskStore(db), only, limit))
    if context.as_json:
        emit_json_lines(map(asdict, found))
    elif found:
        context.table("Tasks", LIST_COLUMNS, map(_line, found))
    else:
        context.say("No such tasks.")


@tasks.command()
@click.argument("task_id")
@json_option
@click.pass_obj
def show(context: Context, task_id: str) -> None:
    """Show one task with its attempts; exit code 3 when there is none.

    \b
    Example: annals tasks show task-100000001
    """

    async def look(db: Database) -> tuple[Task, list[Attempt], Place]:
        store = TaskStore(db)
        task = await store.get(task_id)
        if task is None:
            raise await store.absence(task_id, f"annals events show {task_id}")
        return task, await store.attempts(task_id), await store.queue_position(task_id)

    task, attempts, place = with_database(context, look)
    if context.as_json:
        emit_json_lines([asdict(task) | asdict(place) | {"attempts": [asdict(each) for each in attempts]}])
        return
    facts = {name: value for name, value in (asdict(task) | asdict(place)).items() if value is not None}
    context.table(task_id, ["field", "value"], facts.items())
    context.table("Attempts", ATTEMPT_COLUMNS, map(_attempt_line, attempts))


@tasks.command()
@click.argument("task_ids", nargs=-1, required=True, metavar="TASK_ID...")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def cancel(context: Context, task_ids: tuple[str, ...], reason: str | None) -> None:
    """Cancel tasks: pending ones at once, running ones by asking them to stop.

    Each is decided by itself; exit code 3 when one was not found, else 4 when one was over already.

    \b
    Example: annals tasks cancel task-100000001 --reason 'not needed'
    """

    async def work(db: Database) -> list[Changed]:
        return await TaskStore(db).cancel(task_ids, reason, actor=await actor(db))

    _change(context, work)


@tasks.command()
@click.argument("task_ids", nargs=-1, required=True, metavar="TASK_ID...")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def retry(context: Context, task_ids: tuple[str, ...], reason: str | None) -> None:
    """Return failed, timed-out and cancelled tasks to their queue, with their failures forgotten.

    Exit code 3 when one was not found, else 4 when one is in a state that forbids it.

    \b
    Example: annals tasks retry task-100000001
    """

    async def work(db: Database) -> list[Changed]:
        return await TaskStore(db).retry(task_ids, reason, actor=await actor(db))

    _change(context, work)


async def _collect(store: TaskStore, only: TaskFilter, limit: int) -> list[Task]:
    found: list[Task] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await store.list(only, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page.items
        if not (cursor := page.next):
            break
    return found


def _change(context: Context, work: Callable[[Database], Awaitable[list[Changed]]]) -> None:
    async def change(db: Database) -> tuple[list[Changed], list[NotFound]]:
        changed, store = await work(db), TaskStore(db)
        missing = [each.task_id for each in changed if each.outcome == "not_found"]
        return changed, [await store.absence(each, f"annals events show {each}") for each in missing]

    changed, missing = with_database(context, change)
    context.table("Tasks", ["task_id", "outcome", "status_before", "position"], changed)
    for each in missing:
        click.echo(f"{each.message} {each.hint}".rstrip(), err=True)
    outcomes = {each.outcome for each in changed}
    for outcome, error in (("not_found", NotFound), ("conflict", Conflict)):
        if outcome in outcomes:
            raise click.exceptions.Exit(error.exit_code)


def _line(task: Task) -> Sequence[object]:
    attempt = f"{task.attempt}/{task.max_attempts}"
    note = task.error if task.error and task.status != "completed" else task.step
    progress = f"{task.progress_percentage:.0f} %" if task.status in ("running", "completed") else ""
    created_at = short(task.created_at)
    return task.task_id, task.task_type, task.status, task.queue, attempt, progress, created_at, note


def _attempt_line(attempt: Attempt) -> Sequence[object]:
    error = ": ".join(part for part in (attempt.error_type, attempt.error_message) if part)
    duration = attempt.duration_ms if attempt.duration_ms is None else round(attempt.duration_ms, 1)
    started_at = short(attempt.started_at)
    return attempt.attempt, attempt.status, started_at, duration, attempt.worker_id, error
