"""The command `annals up`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from service import lifecycle, log
from service.cli import Context
from service.commands import without_password
from service.errors import Invalid
from service.store.migrate import migrate
from service.up.startup import Startup
from service.up.tree import Plan, run

DEMO_TASKS = "service.demo.handlers"


@click.command()
@click.option("--host", help="Address of the API; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0 takes a free one.")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Where data lies (ANNALS_HOME)."
)
@click.option("--workers", type=click.IntRange(0), help="Worker processes; 0 for none.")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="A module with tasks of your own.")
@click.option("--demo", is_flag=True, help="Do the main job on real data when everything runs.")
@click.option("--once", is_flag=True, help="End when everything runs and the demo, if any, is done.")
@click.pass_obj
def up(
    context: Context,
    host: str | None,
    port: int | None,
    home: Path | None,
    workers: int | None,
    imports: tuple[str, ...],
    demo: bool,
    once: bool,
) -> None:
    """Run everything here: database, API, workers and relay in one process tree, until Ctrl-C.

    Without DATABASE_URL the database is a PostgreSQL of our own, with its data below the home directory.

    \b
    Example: annals up --demo
             annals up --port 8080 --workers 4 --import mypackage.tasks
    """
    context.override(
        api__host=host,
        api__port=port,
        home=home and home.absolute(),
        worker__processes=workers,
        worker__imports=list(imports) or None,
    )
    if demo:
        _prepare_for_demo(context)
    settings = context.settings
    log.setup(settings.log)
    startup = Startup()
    startup.title()
    with ExitStack() as stack:
        with startup.part("PostgreSQL") as words:
            dsn = stack.enter_context(context.database())
            words.append(_place(context))
        with startup.part("Schema") as words:
            applied = migrate(dsn)
            words.append(_brought(applied.migrations))
        plan = Plan(context, dsn, startup, demo, once)
        code = lifecycle.run(lambda shutdown: run(plan, shutdown))
    click.get_current_context().exit(code)


def _prepare_for_demo(context: Context) -> None:
    """It needs a key, its task, and a terminal without log lines in between. Raises Invalid without a key."""
    settings = context.settings
    if not settings.api.development_key:
        raise Invalid(
            "--demo needs an API key that exists without being created, which only development has.",
            hint="Start without --demo, make a key with `annals keys create demo`, then run `annals demo`.",
        )
    context.override(worker__imports=[*settings.worker.imports, DEMO_TASKS])
    if settings.origin("log.level") == "default.toml":
        # That a task of the demo fails is a warning; it is told where it belongs.
        context.override(log__level="ERROR")


def _brought(migrations: Sequence[str]) -> str:
    """The schema's line: a first start has too many migrations to name."""
    if len(migrations) > 1:
        return f"{len(migrations)} migrations, up to {migrations[-1]}"
    return "".join(migrations) or "up to date"


def _place(context: Context) -> str:
    url, home = context.settings.database.url, context.settings.home
    if url:
        return without_password(url)
    near = home.is_relative_to(Path.cwd())
    return f"embedded, data in {home.relative_to(Path.cwd()) if near else home}"
