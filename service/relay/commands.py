"""The command `annals relay`, and what a person does with followers."""

import re
from collections.abc import Sequence

import asyncpg
import click

from service import lifecycle, log
from service.cli import Context, json_option
from service.relay.configured import check
from service.relay.parking import FOLLOWERS, follower_of, give_up, retry, rewind
from service.relay.relay import serve
from service.store.console import actor, short, with_database
from service.store.pool import Database
from service.store.queries import load

SQL = load(__package__)
RELAY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
LAG_COLUMNS = [
    "follower",
    "position",
    "settled",
    "behind",
    "behind_seconds",
    "held_by_pid",
    "state",
    "parked",
]
LAG_COLUMNS += ["failures", "error"]
RELAY_COLUMNS = ["relay_id", "role", "host", "pid", "version", "started_at", "seen_at"]
PARKED_COLUMNS = ["follower", "position", "type", "stream", "times", "parked_at", "error"]


@click.group(invoke_without_command=True)
@click.option(
    "--id", "relay_id", metavar="NAME", help="Its name in status and log; a new one each time without."
)
@click.pass_context
def relay(ctx: click.Context, relay_id: str | None) -> None:
    """Follow the log and fire schedules until SIGINT or SIGTERM. Of several, one leads.

    \b
    Example: annals relay --id relay-1
             annals relay status
    """
    if ctx.invoked_subcommand:
        return
    if relay_id is not None and not RELAY_ID.fullmatch(relay_id):
        raise click.BadParameter(
            f"{relay_id!r} is not 1 to 100 letters, digits, or _ . : -", param_hint="--id"
        )
    context: Context = ctx.obj
    settings = context.settings
    check(settings.schedules)
    log.setup(settings.log)
    with context.database() as dsn:
        code = lifecycle.run(lambda shutdown: serve(settings, dsn, shutdown, relay_id))
    ctx.exit(code)


@relay.command()
@json_option
@click.pass_obj
def status(context: Context) -> None:
    """Show which relays run, which leads, and how far followers are behind. Exit code 1 when none leads.

    \b
    Example: annals relay status
             annals relay status --json
    """

    async def look(db: Database) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        return await db.fetch(SQL.relays), await db.fetch(SQL.follower_lag)

    relays, followers = with_database(context, look)
    context.table("Relays", RELAY_COLUMNS, map(_relay_cells, relays))
    context.say("")
    context.table("Followers", LAG_COLUMNS, map(_lag_cells, followers))
    if not any(row["leads"] for row in relays):
        click.echo(
            "No relay leads: nothing is followed, and no schedule fires. Start one: annals relay", err=True
        )
        click.get_current_context().exit(1)


@relay.command()
@click.argument("follower", required=False)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def parked(context: Context, follower: str | None, limit: int) -> None:
    """List events that a follower failed on and stepped over, with the error.

    \b
    Example: annals relay parked
             annals relay parked task_counts --json
    """
    rows = with_database(context, lambda db: db.fetch(SQL.parked, follower, limit))
    shown = ((*row[:5], row[5] if context.as_json else short(row[5]), row[6]) for row in rows)
    context.table("Parked events", PARKED_COLUMNS, shown)


@relay.command()
@click.argument("follower")
@click.argument("position", type=click.IntRange(1))
@click.option("--give-up", "reason", metavar="REASON", help="Do not do it; take it from the list.")
@json_option
@click.pass_obj
def resume(context: Context, follower: str, position: int, reason: str | None) -> None:
    """Do a parked event after all. If it fails again, it stays parked, and the error is shown.

    \b
    Example: annals relay resume task_counts 4711
             annals relay resume task_counts 4711 --give-up 'counted by hand'
    """

    async def work(db: Database) -> None:
        who = await actor(db)
        if reason is None:
            await retry(db, follower_of(follower), position, actor=who)
        else:
            await give_up(db, follower, position, reason, actor=who)

    with_database(context, work)
    done = "given up" if reason is not None else "resumed"
    context.table("Resumed", ["follower", "position", "outcome"], [(follower, position, done)])


@relay.command("rewind")
@click.argument("follower")
@click.option(
    "--to", "position", required=True, type=click.IntRange(0), help="Follow again after this position."
)
@click.option(
    "--effects/--no-effects",
    required=True,
    help="Whether what was done outside the database since then is done again.",
)
@json_option
@click.pass_obj
def rewind_command(context: Context, follower: str, position: int, effects: bool) -> None:
    """Send a follower back to a position: it takes back the state it built since then, and builds it again.

    \b
    Example: annals relay rewind task_counts --to 0 --no-effects
    """

    async def work(db: Database) -> int:
        return await rewind(db, follower_of(follower), position, effects, actor=await actor(db))

    was = with_database(context, work)
    context.table("Rewound", ["follower", "was", "now"], [(follower, was, position)])


@relay.command()
@click.option("--hours", type=click.IntRange(1, 100_000), default=24, show_default=True, help="How far back.")
@click.option("--type", "task_type", help="Only this task type.")
@json_option
@click.pass_obj
def counts(context: Context, hours: int, task_type: str | None) -> None:
    """Show what happened to tasks, by hour and type, newest first.

    \b
    Example: annals relay counts --hours 6
    """
    rows = with_database(context, lambda db: db.fetch(SQL.task_counts, hours, task_type))
    columns = ["hour", "task_type", "enqueued", "started", "completed", "retried", "failed", "timed_out"]
    columns += ["cancelled", "rescued", "mean_ms", "mean_wait_ms"]
    context.table("Tasks by hour", columns, map(tuple, rows))


def _relay_cells(row: asyncpg.Record) -> Sequence[object]:
    role = "leads" if row["leads"] else "silent" if row["silent"] else "stands by"
    return (
        row["relay_id"],
        role,
        row["host"],
        row["pid"],
        row["code_version"],
        row["started_at"],
        row["seen_at"],
    )


def _lag_cells(row: asyncpg.Record) -> Sequence[object]:
    state = "quiet" if row["quiet"] else "fails" if row["failures"] else "follows"
    known = row["name"] in {follower.name for follower in FOLLOWERS}
    return (
        *(row["name"], row["position"], row["settled"], row["lag_positions"], round(row["lag_seconds"], 1)),
        *(row["held_by_pid"], state if known else "unknown to this release", row["parked"]),
        *(row["failures"], row["error"]),
    )
