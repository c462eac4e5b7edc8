"""Running PostgreSQL's programs as the server's account."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from service.embedded.account import Account
from service.embedded.errors import EmbeddedError

# The caller's environment may hold secrets and PG* settings; the server's processes get neither.
KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


def environment() -> Mapping[str, str]:
    """The environment of the server and of initdb."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


def begin(command: list[str | Path], account: Account, log: IO[bytes], **arguments: Any) -> subprocess.Popen[bytes]:
    """Start a program as the account, in a session of its own, its output appended to `log`."""
    try:
        return subprocess.Popen(
            command,
            **({"stdin": subprocess.DEVNULL} | arguments),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd="/",
            umask=0o077,
            start_new_session=True,
            **account.popen_arguments,
        )
    except PermissionError as error:
        raise EmbeddedError(
            f"{command[0]} cannot be run as {account.name}: {error.strerror}.",
            "Root needs the right to change to another user (containers: CAP_SETUID and CAP_SETGID) and a "
            "filesystem without noexec; or run this as an ordinary user.",
        ) from error
