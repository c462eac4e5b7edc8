"""The commands `annals migrate`, `psql` and `dsn`; `tasks` and `events` have modules of their own."""

import sys

import click

from service.cli import Context, emit_json_lines, json_option


@click.command()
@click.option("--check", is_flag=True, help="Only tell what is pending; exit code 1 if anything is.")
@click.option("--down", "steps", type=click.IntRange(min=1), metavar="N", help="Roll the last N back.")
@json_option
@click.pass_context
def migrate(ctx: click.Context, check: bool, steps: int | None) -> None:
    """Bring the database to this release's schema. May run beside running workers, and twice.

    Rolling back deletes the tables of those migrations with their data; on a terminal it asks first.

    \b
    Example: annals migrate
             annals migrate --check
             annals migrate --down 1
    """
    if check and steps:
        raise click.UsageError("--check and --down exclude each other.")
    context: Context = ctx.obj
    with context.database() as database:
        address = context.settings.database.listen_url or database
        if check:
            ctx.exit(_tell_pending(context, address))
        elif steps:
            _roll_back(context, address, steps)
        else:
            _migrate(context, address)


def _migrate(context: Context, address: str) -> None:
    from service.store.migrate import migrate as apply

    applied = apply(address, context.say)
    if context.as_json:
        emit_json_lines([{"migrations": applied.migrations, "objects": applied.objects}])
    elif not applied.objects:
        context.say("The database is up to date.")


def _tell_pending(context: Context, address: str) -> int:
    from service.store.migrate import check

    pending = check(address)
    context.table("Pending", ["pending"], [(name,) for name in pending]) if pending else None
    if not pending:
        context.say("The database is up to date.")
    return 1 if pending else 0


def _roll_back(context: Context, address: str, steps: int) -> None:
    from service.store.migrate import down

    if sys.stdin.isatty():
        click.confirm(f"Roll {steps} back and lose the data of their tables?", abort=True)
    names = down(address, steps, context.say)
    if context.as_json:
        emit_json_lines({"rolled_back": name} for name in names)
    elif not names:
        context.say("There was nothing to roll back.")


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def psql(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Open psql on the right database; all arguments go to it.

    It knows questions worth asking, :stuck and :slowest and thirty more, and lists them with :help. Your own
    ~/.psqlrc is read after ours; -X reads neither, -q leaves the greeting out. For a psql that you start
    yourself, --print-rc prints what ours reads, for \\i or for your ~/.psqlrc.

    \b
    Example: annals psql
             annals psql -c 'SELECT * FROM queue_depth'
             echo ':stuck' | annals psql --csv
             annals psql --print-rc > annals.psqlrc
    """
    from service.store import psqlrc
    from service.store.psql import run

    if arguments == ("--help",):
        click.echo(ctx.get_help())
        return
    if arguments == ("--print-rc",):
        click.echo(psqlrc.text(manners=True), nl=False)
        return
    with ctx.obj.database() as database:
        code = run(database, arguments)
    ctx.exit(code)


@click.command()
@click.pass_obj
def dsn(context: Context) -> None:
    """Print the database's DSN, for psql and for programs of your own.

    The embedded server runs only while something uses it: `annals up`, a worker, this command.

    \b
    Example: psql "$(annals dsn)"
    """
    with context.database() as database:
        click.echo(database)
