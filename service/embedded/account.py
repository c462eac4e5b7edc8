"""The account that runs PostgreSQL, which refuses to run as root.

Anybody but root runs the server as themselves. Root runs it as the account that owns the data, and for
fresh data as the first of `PREFERRED` that exists. What such an account may reach is worked out from
the permission bits (an ACL that allows more is not seen, which errs on the safe side).
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.embedded.errors import EmbeddedError

PREFERRED = ("annals", "postgres", "nobody", "daemon", "www-data")


@dataclass(frozen=True)
class Account:
    """Who runs the server: ids, and a name for messages."""

    uid: int
    gid: int
    name: str

    @property
    def popen_arguments(self) -> dict[str, Any]:
        """What subprocess needs to run a program as this account; nothing when that is who we are."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` to the account."""
        if os.geteuid() == self.uid:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except OSError as error:
            raise EmbeddedError(
                f"{path} cannot be given to {self.name}, who is to run PostgreSQL: {error.strerror}.",
                "Root is not allowed to here (a container with only one user?): run this as an ordinary "
                "user, choose a --home on another filesystem, or set DATABASE_URL.",
            ) from error

    def can(self, path: Path, bit: int) -> bool:
        """Whether the permissions of `path` itself allow the account `bit` (os.R_OK, W_OK, X_OK)."""
        if os.geteuid() == self.uid:
            return os.access(path, bit)
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
        return bool(stat.S_IMODE(found.st_mode) >> shift & bit)

    def can_enter(self, directory: Path) -> bool:
        """Whether the account can pass through `directory` and all directories above it."""
        resolved = directory.resolve()
        return all(self.can(step, os.X_OK) for step in (resolved, *resolved.parents))


def current() -> Account:
    """The account of this process; a uid without an entry in the passwd database is fine."""
    return Account(os.geteuid(), os.getegid(), name_of(os.geteuid()))


def name_of(uid: int) -> str:
    """The account's name, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def for_fresh_data(directory: Path) -> Account:
    """Who is to own data yet to be made in `directory`: ourselves.

    For root the owner of the directory, and the first of PREFERRED when that is root, too.
    """
    if os.geteuid() != 0:
        return current()
    owner = directory.stat().st_uid
    return from_uid(owner) if owner != 0 else first_unprivileged()


def for_data(data: Path) -> Account:
    """The owner of existing data. Raises EmbeddedError when we cannot run the server as its owner."""
    owner = data.stat().st_uid
    if owner == 0:
        raise EmbeddedError(
            f"The database in {data} belongs to root, and PostgreSQL does not run as root.",
            f"Give it to an unprivileged account: chown -R {PREFERRED[1]} {data}",
        )
    if os.geteuid() not in (0, owner):
        raise EmbeddedError(
            f"The database in {data} belongs to {name_of(owner)}, not to {name_of(os.geteuid())}.",
            f"Run this as {name_of(owner)} or as root, or choose another --home or ANNALS_HOME.",
        )
    return from_uid(owner)


def from_uid(uid: int) -> Account:
    """The account with this uid; the group is its own number when the passwd database has no entry."""
    try:
        return Account(uid, pwd.getpwuid(uid).pw_gid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Account(uid, uid, str(uid))


def first_unprivileged() -> Account:
    """The first of PREFERRED that exists, else any account but root."""
    entries = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    names = [name for name in PREFERRED if name in entries] + sorted(entries)
    if not names:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this machine has no other account.",
            "Add one (useradd --system annals), run this as another user, or set DATABASE_URL.",
        )
    return from_uid(entries[names[0]].pw_uid)
