"""The command `annals errors`: what fails, in groups, and one group with its last occurrences."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.console import Console

from service.cli import Context, emit_json_lines, json_option
from service.errors import NotFound
from service.model.error_group import GROUP_STATES, ErrorGroup, GroupState, Occurrence
from service.store.console import Time, short, with_database
from service.store.error_groups import RECENT, SEEN, ErrorFilter, ErrorStore
from service.store.error_listing import show, sparkline
from service.store.pool import Database

PAGE = 200
LIST_COLUMNS = [
    *(
        "id",
        "state",
        "type",
        "error",
        "message",
        "where",
        "count",
        "tasks",
        "first_seen",
        "last_seen",
        "trend",
    ),
]
OCCURRENCE_COLUMNS = ["failed_at", "task_id", "attempt", "outcome", "worker_id", "message"]


@click.command()
@click.argument("fingerprint", required=False)
@click.option(
    "--since", type=Time(), help="Seen after this time or age; by default 24h (for one group: ever)."
)
@click.option("--until", type=Time(), help="Seen up to this time.")
@click.option(
    "--type", "task_types", multiple=True, metavar="TYPE", help="Of this task type; may be repeated."
)
@click.option("--state", "states", multiple=True, type=click.Choice(GROUP_STATES), help="May be repeated.")
@click.option("--text", help="Found in id, error type, message or place.")
@click.option("--order", type=click.Choice(["last-seen", "count"]), default="last-seen", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def errors(
    context: Context,
    fingerprint: str | None,
    since: datetime | None,
    until: datetime | None,
    task_types: tuple[str, ...],
    states: tuple[GroupState, ...],
    text: str | None,
    order: str,
    limit: int,
) -> None:
    """Show what fails, in groups: same task type, error, message and place. FINGERPRINT shows one of them.

    A group is new when it was first seen in the time asked for, quiet (only shown with --state quiet) when
    it was seen only before. Trend: occurrences in 24 parts of that time.

    \b
    Example: annals errors
             annals errors --since 7d --type charge --order count
             annals errors e1-0a1b2c3d4e5f
    """
    if fingerprint:
        _show(context, fingerprint, since, until, limit)
        return
    since = since or datetime.now(UTC) - RECENT
    only = ErrorFilter(since, until, task_types or None, states or SEEN, text, order == "count")
    found = with_database(context, lambda db: _collect(ErrorStore(db), only, limit))
    if context.as_json:
        emit_json_lines(map(asdict, found))
    elif found and sys.stdout.isatty():
        show(Console(), found)
    elif found:
        context.table("Errors", LIST_COLUMNS, map(_line, found))
    else:
        context.say(f"No such errors since {short(since)}Z.")


async def _collect(store: ErrorStore, only: ErrorFilter, limit: int) -> list[ErrorGroup]:
    found: list[ErrorGroup] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await store.list(only, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page.items
        if not (cursor := page.next):
            break
    return found


def _show(
    context: Context, fingerprint: str, since: datetime | None, until: datetime | None, limit: int
) -> None:
    async def look(db: Database) -> tuple[ErrorGroup | None, Sequence[Occurrence]]:
        store = ErrorStore(db)
        return (
            await store.get(fingerprint, since, until),
            await store.occurrences(fingerprint, since, until, limit),
        )

    group, occurrences = with_database(context, look)
    if group is None:
        raise NotFound(
            f"Error not found: {fingerprint}", hint="annals errors --since 30d lists what there is."
        )
    if context.as_json:
        emit_json_lines([asdict(group) | {"last_occurrences": [asdict(each) for each in occurrences]}])
        return
    facts = {name: value for name, value in asdict(group).items() if value is not None}
    facts |= {"trend": sparkline(group.trend)}
    context.table(fingerprint, ["field", "value"], facts.items())
    context.table("Occurrences", OCCURRENCE_COLUMNS, map(_occurrence_line, occurrences))
    if sample := next((each for each in occurrences if each.traceback), None):
        context.say(f"\nTraceback of {sample.task_id}, attempt {sample.attempt}:\n{sample.traceback}")


def _line(group: ErrorGroup) -> Sequence[object]:
    return (
        *(group.fingerprint, group.state, group.task_type, group.error_type, group.pattern, group.frame),
        *(group.occurrences, group.tasks, short(group.first_seen_at), short(group.last_seen_at)),
        sparkline(group.trend),
    )


def _occurrence_line(each: Occurrence) -> Sequence[object]:
    message = (each.message or "").partition("\n")[0]
    return short(each.failed_at), each.task_id, each.attempt, each.outcome, each.worker_id, message
