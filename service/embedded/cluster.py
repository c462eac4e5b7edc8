"""Making a fresh cluster, all or nothing.

Everything is done in `data.partial`, which becomes `data` by one rename when it is complete: a process
killed on the way leaves nothing that looks like a database.
"""

from __future__ import annotations

import locale
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.embedded import configuration, programs
from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import explain
from service.embedded.locks import give_to_owner

# The service's role owns its database and may make others (and roles), yet is no superuser.
ROLE = (
    "CREATE ROLE annals LOGIN CREATEDB CREATEROLE",
    "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO annals",
    "CREATE DATABASE annals OWNER annals",
)


def create(binaries: Binaries, data: Path, account: Account, password: Path, durable: bool) -> None:
    """Make the cluster `data` with the role and database `annals`, and write its password file.

    `durable` false leaves out the final sync, for tests. Raises EmbeddedError.
    """
    partial = data.with_name("data.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    account.own(partial)
    command = [binaries.directory / "initdb", "-D", partial, "-U", "postgres", "-E", "UTF8", "--auth=trust"]
    command += [*locale_arguments(), "--data-checksums", "--no-instructions"]
    run([*command, *([] if durable else ["--no-sync"])], account, f"Making the database in {data}", data)
    (partial / "pg_hba.conf").write_text(configuration.HBA)
    with (partial / "postgresql.conf").open("a") as file:
        file.write(configuration.INCLUDE)
    (partial / "annals.conf").touch(mode=0o600)
    account.own(partial / "annals.conf")
    execute(binaries, partial, account, [*ROLE, password_statement(password)])
    partial.rename(data)
    sync_directory(data.parent)


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


def password_statement(path: Path) -> str:
    """Write a fresh password into its file (0600) and return the statement that sets it."""
    word = secrets.token_urlsafe(24)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(word)
        give_to_owner(path.parent, file.fileno())
    return f"ALTER ROLE annals PASSWORD '{word}'"


def execute(binaries: Binaries, data: Path, account: Account, statements: Sequence[str]) -> None:
    """Run statements on a cluster that is not running, by the single-user server."""
    command = [binaries.directory / "postgres", "--single", "-D", data, "-c", "exit_on_error=on", "postgres"]
    run(command, account, f"Setting up the database in {data}", data, "\n".join(statements) + "\n")


def run(command: Sequence[str | Path], account: Account, doing: str, data: Path, given: str = "") -> None:
    """Run a program to its end; its output explains the EmbeddedError when it fails."""
    with tempfile.TemporaryFile() as log:
        process = programs.begin(list(command), account, log, stdin=subprocess.PIPE)
        process.communicate(given.encode())
        if process.returncode != 0:
            log.seek(0)
            raise explain(doing, log.read().decode(errors="replace"), data)


def sync_directory(path: Path) -> None:
    """Make a rename in the directory last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
