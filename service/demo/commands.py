"""The command `annals demo`, and the same for a process that serves the API itself."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import click

from service.cli import Context
from service.demo.client import Client
from service.demo.run import run
from service.demo.screen import Screen, make_console
from service.errors import Invalid
from service.settings import Settings, variable
from service.store import queries


@click.command()
@click.option("--url", help="Where the service answers; the configured host and port when not given.")
@click.option("--key", help="API key with the scopes read and write.")
@click.pass_obj
def demo(context: Context, url: str | None, key: str | None) -> None:
    """Do the main job on real data against a running service, and show what it remembers.

    The classifiers of the Python Package Index become a taxonomy, the packages installed here become
    documents, and four agents are measured. A task with a mistake in it fails, where a worker has imported it
    (`annals up --demo`, or --import service.demo.handlers). May be repeated.

    \b
    Example: annals demo
             annals demo --url https://annals.example.org --key ...
    """
    settings = context.settings
    found = key or settings.api.development_key
    if not found:
        raise Invalid(
            "The demo needs an API key.",
            hint="Make one with: annals keys create demo --scope write; then pass it with --key.",
        )
    address = url or f"http://{reachable(settings.api.host)}:{settings.api.port}"
    completed = asyncio.run(show(address, found, advice(settings, address, found)))
    click.get_current_context().exit(0 if completed else 1)


async def show(url: str, key: str, lines: Sequence[tuple[str, str]]) -> bool:
    """The demo on standard output; false when something did not complete. Raises Refused and Unreachable."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a tick gets a question mark, not an error.
        sys.stdout.reconfigure(errors="replace")
    async with Client(url, key) as client:
        return await run(client, Screen(make_console()), lines)


def reachable(host: str) -> str:
    """An address to connect to for one that is listened on."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)


def advice(settings: Settings, url: str, key: str) -> list[tuple[str, str]]:
    """What to try next, as (what it does, command); {agent_id}, {task_id} and {failed_id} are filled in."""
    api, program, annals = f"{url}/api/v1", _program(), _annals(settings)
    header = f"-H 'X-API-Key: {key}'"
    question = """--json '{{"query": "async http"}}'"""
    return [
        ("Ask the agent", f"curl -s {header} {api}/agents/{{agent_id}}/query {question}"),
        ("Measure again", f"curl -s {header} -X POST {api}/agents/{{agent_id}}/coverage/refresh"),
        ("Watch the log", f"curl -sN {header} '{api}/events/stream?after=0'"),
        ("The same life in SQL", f'{annals} psql -c "{queries.load(__package__).life}"'),
        ("See who was told", f"{annals} webhooks deliveries"),
        ("Receive webhooks of your own", f"{annals} webhooks listen --port 9000"),
        ("Look into the failure", f"{annals} audit replay {{failed_id}}"),
        ("Put all of it into one file", f"{annals} audit bundle {{failed_id}}"),
        ("Run it again from that, anywhere", f"{program} replay-local {{failed_id}}.bundle.zip"),
        ("Everything else", f"{url}/docs"),
    ]


def _annals(settings: Settings) -> str:
    """The command as it can be typed here, with the home it was given."""
    is_default = settings.origin("home") in ("default", variable("home"))
    return _program() if is_default else f"{_program()} --home {shlex.quote(str(settings.home))}"


def _program() -> str:
    """From the PATH, else by its file."""
    program = Path(sys.argv[0])
    if program.name != "annals":
        return f"{Path(sys.executable).name} -m service"
    if shutil.which("annals"):
        return "annals"
    return os.path.relpath(program) if program.is_relative_to(Path.cwd()) else str(program)
