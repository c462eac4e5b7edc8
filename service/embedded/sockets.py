"""The directory of the server's Unix socket, which only the server's account and root can enter."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
import tempfile
from pathlib import Path

from service.embedded.account import Account
from service.embedded.errors import EmbeddedError

# sun_path holds 108 bytes with the final zero on Linux, 104 on macOS.
PATH_BYTES = 103
NAME_BYTES = len("/.s.PGSQL.65535")
# A comma separates hosts in a DSN, and not every driver unquotes the rest alike.
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./+-]*")


def directory(base: Path, account: Account) -> Path:
    """`base`/run, made when missing; a short one in /tmp when that is too long or oddly named."""
    inside = base / "run"
    if len(os.fsencode(inside)) + NAME_BYTES <= PATH_BYTES and PLAIN_PATH.fullmatch(str(inside)):
        return private(inside, account)
    name = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    try:
        return private(Path(f"/tmp/annals-{account.uid}-{name}"), account)
    except EmbeddedError:
        # Somebody else took the name; a random one cannot be taken in advance.
        made = Path(tempfile.mkdtemp(prefix="annals-", dir="/tmp"))
        account.own(made)
        return made


def private(path: Path, account: Account) -> Path:
    """`path` as a 0700 directory of the account; an existing one that is anything else is refused."""
    try:
        path.mkdir(mode=0o700)
        account.own(path)
    except FileExistsError:
        found = path.lstat()
        if (
            not stat.S_ISDIR(found.st_mode)
            or found.st_uid != account.uid
            or stat.S_IMODE(found.st_mode) & 0o077
        ):
            raise EmbeddedError(
                f"{path} is not a private directory of {account.name}.",
                f"Remove it, or: chown {account.uid} {path} && chmod 700 {path}",
            ) from None
    return path


def tidy(socket_directory: str, base: Path) -> None:
    """Remove the directory of a stopped server when it lies outside of its base."""
    if socket_directory and Path(socket_directory).parent != base:
        with contextlib.suppress(OSError):
            Path(socket_directory).rmdir()


def accepts(socket_directory: str, port: int) -> bool:
    """Whether something listens on the server's socket: false for the moment after a crash."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{socket_directory}/.s.PGSQL.{port}")
        except OSError:
            return False
    return True
