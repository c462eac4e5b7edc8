"""Opening the server's own files: private, never through a link, and owned like their directory."""

from __future__ import annotations

import os
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """Open `path` with `flags`, made 0600 when missing.

    Root may work in another account's directory: what it makes there belongs to that account, which goes on
    with it later, and a link which that account may have put there is refused (OSError).
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Write the whole file anew; a reader sees the old or the new one, never a part."""
    temporary = path.with_name(path.name + ".new")
    descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
    temporary.replace(path)


def sync_directory(path: Path) -> None:
    """Make a rename in the directory last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
