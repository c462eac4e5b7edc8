"""Making a fresh cluster, all or nothing.

Everything is done in a directory `partial-...`, which becomes `data` by one rename when it is complete: a
process killed on the way leaves nothing that looks like a database. Each attempt has a directory of its
own: an initdb that outlives a killed supervisor empties its own when it fails. The service's role owns its
database and may make others (and roles), yet is no superuser.
"""

from __future__ import annotations

import locale
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.embedded import programs
from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import explain
from service.embedded.files import replace, sync_directory

QUERIES = Path(__file__).parent / "queries"
PARTIAL = "partial-"
SETUP = ("create_role", "grant_watching", "create_database")


def create(binaries: Binaries, data: Path, account: Account, password: Path, durable: bool) -> None:
    """Make the cluster `data` with the role and database `annals`, and write its password file.

    `durable` false leaves out the final sync, for tests. Raises EmbeddedError.
    """
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=data.parent))
    account.own(partial)
    try:
        run(initdb(binaries, partial, durable), account, f"Making the database in {data}", data)
        execute(binaries, partial, account, [*(query(name) for name in SETUP), set_password(password)])
        partial.rename(data)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_directory(data.parent)


def sweep(base: Path) -> None:
    """Remove what attempts that were killed have left."""
    for left in base.glob(f"{PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)


def initdb(binaries: Binaries, data: Path, durable: bool) -> list[str | Path]:
    """The command line that makes a cluster."""
    command: list[str | Path] = [binaries.directory / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8"]
    command += ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"]
    return [*command, *locale_arguments(), *([] if durable else ["--no-sync"])]


def locale_arguments() -> list[str]:
    """Sort by code point (fast, the same everywhere); upper and lower case by Unicode where libc can."""
    previous = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return ["--locale=C"]
    finally:
        locale.setlocale(locale.LC_CTYPE, previous)
    return ["--locale=C.UTF-8", "--lc-collate=C"]


def query(name: str) -> str:
    """One statement, on one line as the single-user server wants it."""
    return " ".join((QUERIES / f"{name}.sql").read_text().split())


def set_password(path: Path) -> str:
    """Write a fresh password into its file (0600) and return the statement that sets it."""
    word = secrets.token_urlsafe(24)
    replace(path, word)
    return query("set_password").replace(":password", word)


def execute(binaries: Binaries, data: Path, account: Account, statements: Sequence[str]) -> None:
    """Run statements on a cluster that is not running, by the single-user server."""
    command: list[str | Path] = [binaries.directory / "postgres", "--single", "-D", data]
    command += ["-c", "exit_on_error=on", "postgres"]
    run(command, account, f"Setting up the database in {data}", data, "\n".join(statements) + "\n")


def run(command: Sequence[str | Path], account: Account, doing: str, data: Path, given: str = "") -> None:
    """Run a program to its end; its output explains the EmbeddedError when it fails."""
    with tempfile.TemporaryFile() as log:
        process = programs.begin(command, account, log.fileno(), stdin=subprocess.PIPE)
        process.communicate(given.encode())
        if process.returncode != 0:
            log.seek(0)
            raise explain(doing, log.read().decode(errors="replace"), data)
