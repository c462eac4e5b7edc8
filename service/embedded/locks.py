"""Advisory file locks (flock): who is alive is read off locks, because the kernel drops them with the process.

A lock belongs to the open file, so a forked child shares its parent's, and an exec'd one has none
(Python opens files close-on-exec). Locks are given back by closing the file and never by unlocking: an
unlock in a forked child would also take the parent's.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RETRY_SECONDS = 0.005


def open_file(path: Path) -> int:
    """Open `path` for locking, made when missing and given to the owner of its directory."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    give_to_owner(path.parent, descriptor)
    return descriptor


def give_to_owner(directory: Path, descriptor: int) -> None:
    """Make a file that root wrote in another account's directory that account's, so it can go on there."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def try_lock(descriptor: int, operation: int) -> bool:
    """Take the lock (`fcntl.LOCK_SH` or `LOCK_EX`) when it is free now."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(path: Path, operation: int, waiting: Callable[[float], None] | None = None) -> int:
    """Wait for the lock and return the open file that holds it; `waiting` is told the seconds so far."""
    descriptor = open_file(path)
    begun = time.monotonic()
    try:
        while not try_lock(descriptor, operation):
            if waiting is not None:
                waiting(time.monotonic() - begun)
            time.sleep(RETRY_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def exclusive(path: Path, waiting: Callable[[float], None] | None = None) -> Iterator[None]:
    """Hold the lock on `path` alone for the length of the block."""
    descriptor = take(path, fcntl.LOCK_EX, waiting)
    try:
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds `path` exclusively."""
    descriptor = open_file(path)
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
