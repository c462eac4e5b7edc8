"""The composition root: the command `annals`. It wires the packages together; nothing imports it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from service import __version__
from service.cli import EXIT_CODES, Context, LazyGroup, parse_assignments
from service.errors import DatabaseUnavailable

COMMANDS = {
    "api": "service.api.commands:api",
    "audit": "service.audit.commands:audit",
    "bench": "service.bench.commands:bench",
    "config": "service.commands:config",
    "demo": "service.demo.commands:demo",
    "dsn": "service.store.commands:dsn",
    "errors": "service.store.error_commands:errors",
    "events": "service.store.event_commands:events",
    "keys": "service.api.commands:keys",
    "migrate": "service.store.commands:migrate",
    "psql": "service.store.commands:psql",
    "replay-local": "service.rerun.commands:replay_local",
    "relay": "service.relay.commands:relay",
    "retention": "service.audit.retention_commands:retention",
    "schedules": "service.relay.schedule_commands:schedules",
    "status": "service.store.status_command:status",
    "tasks": "service.store.task_commands:tasks",
    "up": "service.up.commands:up",
    "webhooks": "service.webhooks.commands:webhooks",
    "worker": "service.worker.commands:worker",
}

# What the service does: packages with `routes` and `handlers`.
SUBJECTS = ("service.coverage",)


@contextmanager
def embedded_server(home: Path) -> Iterator[str]:
    """Hold the embedded PostgreSQL below `home` and give its DSN. Raises DatabaseUnavailable."""
    from service.embedded import EmbeddedError, attach

    with ExitStack() as stack:
        try:
            server = stack.enter_context(attach(home, progress=_tell))
        except EmbeddedError as error:
            raise DatabaseUnavailable(error.message, hint=error.hint or "") from error
        yield server.dsn


def _tell(line: str) -> None:
    """Progress of a slow first start, for a person at a terminal."""
    if sys.stderr.isatty():
        click.echo(line, err=True)


@click.group(cls=LazyGroup, lazy=COMMANDS, epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="annals", message="%(prog)s %(version)s")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Where data lies (ANNALS_HOME)."
)
@click.option("--env", help="Configuration to use: development, production, test (ANNALS_ENV).")
@click.option("--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Change one setting.")
@click.pass_context
def annals(ctx: click.Context, home: Path | None, env: str | None, assignments: tuple[str, ...]) -> None:
    """Background tasks on PostgreSQL, with a complete record of everything that happened to them.

    \b
    Example: annals up            everything, on a PostgreSQL of its own
             annals tasks list    what was done, what is being done
    """
    overrides = parse_assignments(assignments) | {"home": home and home.absolute(), "environment": env}
    ctx.obj = Context(overrides, embedded_server, SUBJECTS)


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C is 130, as shells expect."""
    try:
        code = annals.main(standalone_mode=False)
    except click.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
