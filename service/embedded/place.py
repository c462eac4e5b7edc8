"""Where the embedded server keeps its things: one directory `postgres` below the home.

    home/postgres/           0711 of whoever made it (0700 when that is also who runs the server)
      data/                  the cluster, 0700 of the server's account
      run/                   the socket, 0700 of the server's account
      binaries/              a copy of the programs, only when the account cannot reach the originals
      local.conf       for settings of PostgreSQL that you want otherwise
      holders, start, supervisor     lock files
      annals.conf, pg_hba.conf, state.json, password, supervisor.log, postgres.log

When root starts it in a home that the server's account cannot enter (a checkout below /root), the directory
lies in /var/lib/annals or /var/tmp/annals instead, `home/postgres` is a link to it, and a file `home` in it
says whose it is; it stays there when the home is removed. No permission of a directory that was there
before is changed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.embedded.account import Account, for_fresh_data, name_of
from service.embedded.errors import EmbeddedError

ELSEWHERE = (Path("/var/lib/annals"), Path("/var/tmp/annals"))

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """The directory `base` of one embedded server, and the names in it."""

    base: Path

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.base / "data"

    @property
    def holders(self) -> Path:
        """Locked shared by everybody who uses the server, and alone by a supervisor that stops it."""
        return self.base / "holders"

    @property
    def start(self) -> Path:
        """Locked while somebody looks whether a supervisor is needed and starts it."""
        return self.base / "start"

    @property
    def supervisor(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.base / "supervisor"

    @property
    def state(self) -> Path:
        """What the supervisor tells about the server, as JSON."""
        return self.base / "state.json"

    @property
    def password(self) -> Path:
        """The password for connections over TCP."""
        return self.base / "password"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor did."""
        return self.base / "supervisor.log"

    @property
    def postgres_log(self) -> Path:
        """What PostgreSQL says."""
        return self.base / "postgres.log"


def find(home: Path, progress: Progress) -> Place:
    """The place below `home`, made when missing; safe when several processes do it at once."""
    link = home / "postgres"
    try:
        make_directories(home)
        if not link.is_dir():
            create(home, link, progress)
        if not os.access(link, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"{link} belongs to {name_of(link.stat().st_uid)}")
    except PermissionError as error:
        raise EmbeddedError(
            f"The home {home} cannot be used by {name_of(os.geteuid())}: {error}.",
            "Run this as its owner or as root, or choose another with --home or ANNALS_HOME.",
        ) from error
    except OSError as error:
        raise EmbeddedError(
            f"The home {home} cannot be made: {error}.", "Choose another with --home or ANNALS_HOME."
        ) from error
    return Place(link.resolve())


def make_directories(path: Path) -> None:
    """Make `path` and what is missing above it, 0755 whatever the umask; what exists stays as it is."""
    if not path.exists():
        make_directories(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def create(home: Path, link: Path, progress: Progress) -> None:
    """Make the directory, or the link to one elsewhere, under a lock on the home itself."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if link.is_dir():
            return
        if link.is_symlink():
            raise EmbeddedError(
                f"{link} points to {os.readlink(link)}, which is gone.",
                f"Bring that directory back, or remove the link to begin with an empty database: rm {link}",
            )
        account = for_fresh_data(home)
        if account.can_enter(home):
            link.mkdir()
            link.chmod(0o700 if account.uid == os.geteuid() else 0o711)
            if home.stat().st_uid == account.uid:
                os.chown(link, account.uid, account.gid, follow_symlinks=False)
        else:
            link.symlink_to(make_elsewhere(home, account, progress))
    finally:
        os.close(descriptor)


def make_elsewhere(home: Path, account: Account, progress: Progress) -> Path:
    """A fresh directory that the account can enter, for a home that it cannot."""
    for parent in ELSEWHERE:
        try:
            make_directories(parent)
            if not account.can_enter(parent) or parent.stat().st_uid != os.geteuid():
                continue
            made = parent / f"{home.resolve().parent.name or 'home'}-{secrets.token_hex(4)}"
            made.mkdir()
            made.chmod(0o711)
            (made / "home").write_text(f"{home}\n")
        except OSError:
            continue
        progress(f"Data go to {made}, because the account {account.name} cannot enter {home}")
        return made
    raise EmbeddedError(
        f"The account {account.name}, which runs PostgreSQL, can enter neither {home} nor {ELSEWHERE[0]}.",
        "Choose a home outside of private directories, for instance --home /srv/annals.",
    )
