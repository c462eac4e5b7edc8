"""This process while it replays: its output kept apart, the guard up, a loop without uvloop, signals."""

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from service.rerun.guard import Guard, Rules
from service.rerun.kernel import refuse_connections

# How the command of a child process begins; the guard lets these through.
CHILD = (sys.executable, "-m", "service.rerun.child")
T = TypeVar("T")


@contextmanager
def report_kept_apart() -> Iterator[TextIO]:
    """The real standard output; what handlers print, and log, goes to standard error meanwhile."""
    sys.stdout.flush()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("service").setLevel(logging.ERROR)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        yield out


@contextmanager
def guarded(allowed: tuple[str, ...]) -> Iterator[tuple[Guard, Rules]]:
    """Put the guard up, with a temporary directory to write to that goes at the end.

    Before any thread, and before any handler's module is imported. The guard stays up: lower it when the
    handler has ended.
    """
    with tempfile.TemporaryDirectory(prefix="annals-replay-") as scratch:
        real = os.path.realpath(scratch)
        tempfile.tempdir = real
        os.environ |= {"TMPDIR": real, "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        in_kernel = "network" not in allowed and refuse_connections()
        rules = Rules(real, allowed, CHILD, in_kernel)
        yield Guard(rules), rules


def run(main: Callable[[asyncio.Event], Awaitable[T]], scratch: str) -> T:
    """Run `main(shutdown)` to its end; a first SIGINT or SIGTERM sets the event, a second ends at once.

    Not on uvloop, which connects in C, where no audit hook hears it. The loop is not closed: a thread that
    was given up would hold that back for as long as it likes.
    """
    runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)

    async def with_signals() -> T:
        return await main(_shutdown_on_signals(scratch))

    return runner.run(with_signals())


def _shutdown_on_signals(scratch: str) -> asyncio.Event:
    """Python's own handlers: a handler that blocks the loop would keep the loop's from running."""
    shutdown, loop = asyncio.Event(), asyncio.get_running_loop()
    seen: list[int] = []

    def on_signal(number: int, _: object) -> None:
        if seen:
            shutil.rmtree(scratch, ignore_errors=True)
            os._exit(128 + number)
        seen.append(number)
        loop.call_soon_threadsafe(shutdown.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return shutdown
