"""Making a cluster as a user without an entry in the passwd database (`docker run --user 12345`).

initdb and the single-user server ask for their user's name and give up without one, although they only use
it as a default that we override. So such a user runs temporary copies of the two programs, in whose list of
imported symbols `getpwuid` is replaced by `getpwent`: it returns the first entry, whoever asks. The server
itself asks for no name and is run as installed.
"""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import EmbeddedError
from service.embedded.reach import FOLDERS, LIBRARIES, PROGRAMS

ASKS_NAME, ASKS_FIRST = b"\0getpwuid\0", b"\0getpwent\0"


@contextmanager
def for_setup(binaries: Binaries, base: Path, account: Account) -> Iterator[Binaries]:
    """`binaries`, or for an account without an entry copies below `base` that do without."""
    if has_entry(account):
        yield binaries
        return
    temporary = base / "nameless"
    source = binaries.directory.parent
    tree = temporary / "installed" / source.name
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        (tree / "bin").mkdir(parents=True)
        for folder in FOLDERS[1:]:
            (tree / folder).symlink_to(source / folder)
        (temporary / LIBRARIES).symlink_to(source.parent.parent / LIBRARIES)
        for name in PROGRAMS:
            copy_without_name(binaries.directory / name, tree / "bin" / name)
        for directory in (temporary, tree.parent, tree, tree / "bin"):
            directory.chmod(0o755)
        yield Binaries(tree / "bin", binaries.version)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def has_entry(account: Account) -> bool:
    """Whether the passwd database knows the account."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        return False
    return True


def copy_without_name(source: Path, target: Path) -> None:
    """Copy a program so that it takes the first passwd entry for its user's."""
    program = source.read_bytes()
    if program.count(ASKS_NAME) != 1:
        raise EmbeddedError(
            f"This user has no entry in the passwd database, and {source} needs one.",
            "Add one to /etc/passwd, run this as another user, or set DATABASE_URL.",
        )
    target.write_bytes(program.replace(ASKS_NAME, ASKS_FIRST))
    target.chmod(0o755)
