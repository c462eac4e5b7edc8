"""Advisory file locks (flock): the kernel drops them with the process, so they tell who is alive.

A lock belongs to the open file: a forked child shares its parent's, and an exec'd one has none (Python opens
files close-on-exec). A holder gives its lock back by closing the file and never by unlocking: an unlock in a
forked child would also take the parent's.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from service.embedded.files import open_private

RETRY_SECONDS = 0.005


def try_lock(descriptor: int, operation: int) -> bool:
    """Take the lock (`fcntl.LOCK_SH` or `LOCK_EX`) when it is free now."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(path: Path, operation: int, waiting: Callable[[float], None] | None = None) -> int:
    """Wait for the lock and return the open file that holds it; `waiting` is told the seconds so far."""
    begun = time.monotonic()
    with ExitStack() as undo:
        descriptor = open_private(path, os.O_RDWR)
        undo.callback(os.close, descriptor)
        while not try_lock(descriptor, operation):
            if waiting is not None:
                waiting(time.monotonic() - begun)
            time.sleep(RETRY_SECONDS)
        undo.pop_all()
    return descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on `path` alone for the length of the block."""
    descriptor = take(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds `path` exclusively."""
    descriptor = open_private(path, os.O_RDWR)
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
