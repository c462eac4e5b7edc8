"""What every command shares: the context, output as table or JSON lines, errors as exit codes."""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.errors import AnnalsError, DatabaseUnavailable, Invalid

if TYPE_CHECKING:
    from service.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])
Starter = Callable[[Path], AbstractContextManager[str]]

EXIT_CODES = """\b
Exit codes:
  0  done
  1  failed, or an audit has findings
  2  wrong usage, argument or configuration
  3  no such task, key, event, ...
  4  its state forbids this
  5  the database is not available
"""


class Context:
    """Travels as click's `ctx.obj`: the settings in force, the database, and how to print.

    `starter` takes the home directory and gives a context manager with the DSN of the embedded server;
    the composition root passes it in, so that only commands that need a server import it. `subjects` are
    the packages of what the service does, each with `routes.ROUTES` and `handlers`.
    """

    def __init__(
        self, overrides: Mapping[str, object], starter: Starter, subjects: Sequence[str] = ()
    ) -> None:
        self.overrides = {path: value for path, value in overrides.items() if value is not None}
        self.subjects = tuple(subjects)
        self.as_json = False
        self._starter = starter

    @cached_property
    def settings(self) -> "Settings":
        """Loaded on first use: `--help` works with a broken configuration. Raises SettingsError."""
        from service.settings import load

        return load(self.overrides)

    def override(self, **values: object) -> None:
        """Let a command's own options win: `override(api__port=port)`; a value of None changes nothing."""
        given = {path.replace("__", "."): value for path, value in values.items() if value is not None}
        self.overrides |= given
        self.__dict__.pop("settings", None)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The DSN; without database.url that of the embedded server, started or joined and held meanwhile."""
        if url := self.settings.database.url:
            yield url
            return
        with self._starter(self.settings.home) as dsn:
            yield dsn

    def routes(self) -> list[Any]:
        """The routes of every subject (service.api.routing.Route)."""
        modules = (importlib.import_module(f"{subject}.routes") for subject in self.subjects)
        return [route for module in modules for route in module.ROUTES]

    def child_environment(self, dsn: str | None = None) -> dict[str, str]:
        """The environment for a child process that is to run with these settings, and on this database."""
        from service.settings import variable

        given = self.overrides | ({"database.url": dsn} if dsn else {})
        return dict(os.environ) | {variable(path): _as_variable(value) for path, value in given.items()}

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print rows: with --json one object a line, on a terminal a table, else plain aligned columns."""
        if self.as_json:
            emit_json_lines(dict(zip(columns, row, strict=True)) for row in rows)
        elif sys.stdout.isatty():
            _print_rich(title, columns, rows)
        else:
            _print_plain(columns, rows)

    def say(self, text: str) -> None:
        """Tell a person something; silent with --json, so that the output stays JSON lines."""
        if not self.as_json:
            click.echo(text)


def emit_json_lines(records: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line on stdout, flushed line by line: a pipe sees each as it comes."""
    for record in records:
        click.echo(json.dumps(record, default=_jsonable, ensure_ascii=False))


def json_option(command: Command) -> Command:
    """Add `--json` to a command; it sets `Context.as_json` and is not passed on."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.ensure_object(Context).as_json |= value

    help_text = "JSON lines instead of tables."
    return click.option("--json", is_flag=True, expose_value=False, callback=note, help=help_text)(command)


class CommandFailed(click.ClickException):
    """An error of ours at the edge of the command line: message, hint, exit code."""

    def __init__(self, error: AnnalsError, as_json: bool) -> None:
        super().__init__(error.message)
        self.error, self.as_json = error, as_json
        vars(self)["exit_code"] = error.exit_code

    def show(self, file: Any = None) -> None:
        """Write to stderr: one JSON object with --json, else the message and what to do."""
        error = self.error
        if self.as_json:
            text = json.dumps({"error": error.code, "message": error.message, "hint": error.hint})
        else:
            text = f"Error: {error.message}" + (f"\n{error.hint}" if error.hint else "")
        click.echo(text, file=file or sys.stderr)


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is named, and turns errors into exit codes."""

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **options: Any) -> None:
        """`lazy` maps a command's name to "package.module:attribute"."""
        super().__init__(*args, **options)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command), f"{self.lazy[cmd_name]} is not a click command"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AnnalsError as error:
            as_json = isinstance(ctx.obj, Context) and ctx.obj.as_json
            raise CommandFailed(error, as_json) from error
        except (ConnectionRefusedError, ConnectionResetError) as error:
            unreachable = DatabaseUnavailable("The database is not available.", hint=str(error))
            raise CommandFailed(unreachable, False) from error


def parse_assignments(pairs: Iterable[str]) -> dict[str, object]:
    """Turn `("api.port=9000", ...)` into overrides; raises Invalid for anything that is not path=value."""
    parsed: dict[str, object] = {}
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not path:
            raise Invalid(f"--set {pair}: not of the form path=value.", hint="As in --set api.port=9000")
        parsed[path] = None if value == "null" else value
    return parsed


def _as_variable(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return json.dumps(list(value))
    return "null" if value is None else str(value)


def _jsonable(value: object) -> object:
    """Times as ISO 8601 in UTC with Z, like the API; everything else as its text."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.replace("+00:00", "Z")


def _cells(row: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(_jsonable(cell)) for cell in row]


def _print_plain(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns, one row a line, nothing cut or folded: for grep and awk."""
    lines = [list(columns), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, _cells(row)))
    Console().print(table)
