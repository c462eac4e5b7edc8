"""Running PostgreSQL's programs as the server's account."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from service.embedded.account import Account
from service.embedded.errors import EmbeddedError

# The caller's environment may hold secrets and PG* settings; the server's processes get neither.
KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


def environment(ended: int | None = None) -> Mapping[str, str]:
    """The environment of the server and of initdb.

    `ended` is a process number in a stale postmaster.pid, of which we know that it serves the data no more,
    although it may still be taken: by a zombie that nobody reaps, or by an unrelated process. PostgreSQL
    would refuse to start; named as its grandparent (as pg_ctl names its caller), the number counts as stale.
    That no process of the old server is left it checks by the shared memory all the same.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"} | ({"PG_GRANDPARENT_PID": str(ended)} if ended else {})


def begin(
    command: Sequence[str | Path],
    account: Account,
    output: int,
    stdin: int = subprocess.DEVNULL,
    ended: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program as the account in a session of its own, printing to the open file `output`."""
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(ended),
            cwd="/",
            umask=0o077,
            start_new_session=True,
            **account.popen_arguments,
        )
    except PermissionError as error:
        raise EmbeddedError(
            f"{command[0]} cannot be run as {account.name}: {error.strerror}.",
            "Root needs the right to change to another user (in containers CAP_SETUID and CAP_SETGID), and "
            "the filesystem must allow programs (no noexec). Or run this as an ordinary user.",
        ) from error
