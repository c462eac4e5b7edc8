"""The commands `annals schedules list|show|set|fire|disable`."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import Invalid
from service.store.console import actor, short, with_database
from service.store.pool import Database
from service.store.schedules import Schedule, ScheduleStore

T = TypeVar("T")
COLUMNS = [
    "name",
    "cron",
    "time_zone",
    "task_type",
    "enabled",
    "next_due_at",
    "last_fired_at",
    "last_task_id",
]
COLUMNS += ["last_error"]


class Params(click.ParamType[dict[str, Any]]):
    """Parameters of a task as a JSON object."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            given = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is no JSON: {error}.", param, ctx)
        if not isinstance(given, dict):
            self.fail(f'{value!r} is no JSON object, as in \'{{"month": "last"}}\'.', param, ctx)
        return given


@click.group()
def schedules() -> None:
    """List, create, change, fire and disable schedules: tasks to enqueue at certain times.

    \b
    Example: annals schedules set nightly --cron '30 2 * * *' --time-zone Europe/Berlin --type noop
             annals schedules list
    """


@schedules.command("list")
@json_option
@click.pass_obj
def list_schedules(context: Context) -> None:
    """List schedules with their next due time.

    \b
    Example: annals schedules list --json
    """
    rows = _ask(context, lambda store: store.list())
    if context.as_json:
        emit_json_lines(map(_facts, rows))
        return
    context.table("Schedules", COLUMNS, map(_cells, rows))


@schedules.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(context: Context, name: str) -> None:
    """Show one schedule and its next five fires, in UTC and in its own zone.

    \b
    Example: annals schedules show nightly
    """
    row = _ask(context, lambda store: store.get(name))
    if context.as_json:
        emit_json_lines([_facts(row)])
        return
    facts = _facts(row)
    fires = facts.pop("next_fires")
    facts["params"] = json.dumps(row.params, ensure_ascii=False)
    context.table(name, ["field", "value"], facts.items())
    zone = row.when().zone
    shown = [(each, each.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %z")) for each in fires]
    context.say("")
    context.table("Next fires", ["utc", "local"], shown)


@schedules.command("set")
@click.argument("name")
@click.option("--cron", required=True, help="Minute, hour, day of month, month, day of week.")
@click.option("--type", "task_type", required=True, help="Type of the task to enqueue.")
@click.option("--time-zone", default="UTC", show_default=True, metavar="ZONE", help="As Europe/Berlin.")
@click.option("--params", type=Params(), default="{}", show_default=True, help="Parameters of the task.")
@click.option("--queue", help="Its queue; else the type's own.")
@click.option("--priority", type=click.IntRange(1, 10), help="1 (first) to 10 (last); else the type's own.")
@click.option(
    "--missed",
    "missed_fires",
    type=click.Choice(["once", "skip"]),
    default="once",
    show_default=True,
    help="After a pause: fire once for all that was missed, or not.",
)
@click.option("--enabled/--disabled", default=True, show_default=True, help="Whether it fires by itself.")
@json_option
@click.pass_obj
def set_schedule(context: Context, /, name: str, **definition: Any) -> None:
    """Create a schedule, or replace its definition as a whole.

    \b
    Example: annals schedules set nightly --cron '30 2 * * MON-FRI' --time-zone Europe/Berlin \\
                 --type report_generation --params '{"month": "last"}'
    """
    given = {field: value for field, value in definition.items() if value is not None}

    async def work(db: Database) -> tuple[str, int | None, list[datetime]]:
        store = ScheduleStore(db)
        done = await store.set(name, given, actor=await actor(db))
        return done.outcome, done.position, (await store.get(name)).next_fires()

    outcome, position, fires = with_database(context, work)
    context.table("Schedule", ["name", "outcome", "position"], [(name, outcome, position)])
    if fires:
        context.say(f"Next: {', '.join(short(each) for each in fires)} (UTC)")


@schedules.command()
@click.argument("name")
@json_option
@click.pass_obj
def fire(context: Context, name: str) -> None:
    """Enqueue its task now. Due times stay as they are; works for a disabled one too.

    \b
    Example: annals schedules fire nightly
    """

    async def work(db: Database) -> tuple[str | None, int | None]:
        done = await ScheduleStore(db).fire(name, actor=await actor(db))
        return done.task_id, done.position

    task_id, position = with_database(context, work)
    context.table("Fired", ["name", "task_id", "position"], [(name, task_id, position)])


@schedules.command()
@click.argument("name")
@json_option
@click.pass_obj
def disable(context: Context, name: str) -> None:
    """Keep a schedule from firing by itself. `set` enables it again, and counts from then on.

    \b
    Example: annals schedules disable nightly
    """

    async def work(db: Database) -> int | None:
        return await ScheduleStore(db).disable(name, actor=await actor(db))

    position = with_database(context, work)
    outcome = "changed" if position else "unchanged"
    context.table("Schedule", ["name", "outcome", "position"], [(name, outcome, position)])


def _ask(context: Context, question: Callable[[ScheduleStore], Awaitable[T]]) -> T:
    return with_database(context, lambda db: question(ScheduleStore(db)))


def _fires(row: Schedule) -> list[datetime]:
    """Due times as far as this machine can work them out: its zones may be older than those of the relay."""
    try:
        return row.next_fires()
    except Invalid:
        return []


def _facts(row: Schedule) -> dict[str, Any]:
    facts = asdict(row) | {"next_fires": _fires(row)}
    del facts["now"]
    return facts


def _cells(row: Schedule) -> tuple[object, ...]:
    soonest = short(next(iter(_fires(row)), None))
    enabled = "yes" if row.enabled else "no"
    what = row.name, row.cron, row.time_zone, row.task_type, enabled, soonest
    return *what, short(row.last_fired_at), row.last_task_id, row.last_error
