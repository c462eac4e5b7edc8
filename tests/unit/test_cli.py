"""The command line: laziness, context, output, exit codes."""

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from service import __version__, errors
from service.__main__ import COMMANDS, annals
from service.cli import Context, LazyGroup, json_option
from service.commands import without_password
from service.settings import load


@pytest.fixture(autouse=True)
def no_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@contextmanager
def no_server(home: Path) -> Iterator[str]:
    yield f"postgresql:///annals?host={home}"


def run(command: click.Command, *arguments: str) -> Result:
    """Run one command in a group of its own, as `annals` runs it."""
    group = LazyGroup("annals", callback=lambda: None)
    group.add_command(command, "it")
    return CliRunner().invoke(group, ["it", *arguments], obj=Context({}, no_server))


def annals_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_version_needs_neither_settings_nor_a_heavy_import() -> None:
    program = (
        "import sys, service.__main__ as m\n"
        "try: m.annals.main(['--version'], standalone_mode=True)\n"
        "except SystemExit: print(*sorted({'pydantic', 'asyncpg', 'aiohttp', 'rich'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == f"annals {__version__}\n\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_shows_an_example(name: str) -> None:
    module, _, attribute = COMMANDS[name].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert "Example" in (command.help or "")


def test_an_unknown_command_is_wrong_usage() -> None:
    result = annals_process("explode")
    assert result.returncode == 2
    assert "No such command 'explode'" in result.stderr


def test_a_broken_configuration_is_wrong_usage_and_says_what_to_do() -> None:
    result = annals_process("--set", "api.prot=1", "config")
    assert result.returncode == 2
    assert result.stderr == "Error: Unknown setting api.prot (from command line).\nDid you mean api.port?\n"


def test_an_assignment_without_a_value_is_wrong_usage() -> None:
    assert "not of the form path=value" in CliRunner().invoke(annals, ["--set", "api.port", "config"]).output


def test_options_before_the_command_reach_its_settings(tmp_path: Path) -> None:
    options = ["--env", "test", "--home", str(tmp_path), "--set", "worker.queues=a,b", "config", "--json"]
    result = CliRunner().invoke(annals, options)
    rows = {row["setting"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows["environment"]["value"] == "test"
    assert rows["home"] == {"setting": "home", "value": str(tmp_path), "from": "command line"}
    assert rows["worker.queues"]["value"] == ["a", "b"]
    assert rows["api.development_key"]["value"] == "***"


def test_config_shows_one_section_and_refuses_an_unknown_one() -> None:
    result = CliRunner().invoke(annals, ["config", "coverage"])
    assert "coverage.default_target" in result.output and "worker" not in result.output
    refused = CliRunner().invoke(annals, ["config", "nothing"])
    assert refused.exit_code == 2 and "There are environment, home, database" in refused.output


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:1/d", "postgresql://u:***@h:1/d"),
        ("postgresql://u@h/d?password=secret&port=1", "postgresql://u@h/d?password=***&port=1"),
        ("postgresql://u@h/d?sslpassword=secret", "postgresql://u@h/d?sslpassword=***"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        (r"password = 'se\'cret a://b' user=u", "password = *** user=u"),
        ("postgresql:///d?host=/run", "postgresql:///d?host=/run"),
    ],
)
def test_a_password_is_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("state", "code"),
    [("AN404", 3), ("AN409", 4), ("AN410", 4), ("AN413", 2), ("AN422", 2), ("57P01", 5), ("08006", 5)],
)
def test_an_sqlstate_becomes_an_exit_code(state: str, code: int) -> None:
    @click.command()
    def fail() -> None:
        raise errors.from_sqlstate(state, "it is so", "do this") or AssertionError

    result = run(fail)
    assert result.exit_code == code
    assert "do this" in result.stderr


def test_an_sqlstate_of_a_bug_is_not_explained_away() -> None:
    assert errors.from_sqlstate("42601", "syntax error") is None
    assert errors.from_sqlstate(None, "no state") is None


def test_an_error_is_json_when_the_output_is() -> None:
    @click.command()
    @json_option
    def fail() -> None:
        raise errors.NotFound("There is no task t1.", hint="See annals tasks list.")

    result = run(fail, "--json")
    expected = {"error": "not_found", "message": "There is no task t1.", "hint": "See annals tasks list."}
    assert json.loads(result.stderr) == expected


def test_a_refused_connection_means_that_the_database_is_not_available() -> None:
    @click.command()
    def fail() -> None:
        raise ConnectionRefusedError("nobody listens")

    assert run(fail).exit_code == 5


def test_a_table_is_plain_lines_off_a_terminal_and_json_on_request() -> None:
    @click.command()
    @json_option
    @click.pass_obj
    def show(context: Context) -> None:
        context.say("two tasks")
        context.table("Tasks", ["task_id", "note"], [("t1", "[bold]" + "x" * 200), ("t2", None)])

    plain = run(show).stdout.splitlines()
    assert plain[0] == "two tasks"
    assert plain[2].split() == ["t1", "[bold]" + "x" * 200]
    records = [json.loads(line) for line in run(show, "--json").stdout.splitlines()]
    assert records[1] == {"task_id": "t2", "note": None}


def test_the_database_is_the_embedded_one_unless_a_url_is_set(tmp_path: Path) -> None:
    with Context({"home": tmp_path}, no_server).database() as dsn:
        assert dsn == f"postgresql:///annals?host={tmp_path}"
    with Context({"database.url": "postgresql://h/d"}, no_server).database() as dsn:
        assert dsn == "postgresql://h/d"


def test_an_option_of_a_command_overrides_and_an_absent_one_does_not() -> None:
    context = Context({}, no_server)
    assert context.settings.api.port == load().api.port
    context.override(api__port=9999, api__host=None)
    assert (context.settings.api.port, context.settings.api.host) == (9999, "127.0.0.1")


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context({"environment": "production", "worker.queues": ["a", "b"]}, no_server)
    for name, value in context.child_environment("postgresql://h/d").items():
        if name not in os.environ or os.environ[name] != value:
            monkeypatch.setenv(name, value)
    settings = load()
    assert settings.environment == "production"
    assert settings.worker.queues == ["a", "b"]
    assert settings.database.url == "postgresql://h/d"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_with_a_title_and_cells_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Context({}, no_server).table("Tasks", ["task_id", "note"], [("t1", "[bold]text[/bold]")])
    assert "Tasks" in terminal.getvalue()
    assert "[bold]text[/bold]" in terminal.getvalue()
