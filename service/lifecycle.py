"""How a process lives: one shutdown event, and an owner for every asyncio task.

A first SIGINT or SIGTERM sets the shutdown event and everything ends in order; a second one ends the
process at once. Nothing is fire-and-forget: a `Supervisor` keeps each task it started, an exception
nobody expected stops the process and is raised again, and tasks end in the reverse order of their start.
"""

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from service.collector import calm_collector
from service.errors import AnnalsError

logger = logging.getLogger(__name__)

T = TypeVar("T")
# A loop that ran this long before it failed has recovered: its next restart is quick again.
HEALTHY_SECONDS = 60.0


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, int | None]]) -> int:
    """Run `main(shutdown)` to its end, on uvloop where there is one; gives its exit code (None is 0)."""

    async def with_signals() -> int:
        shutdown = asyncio.Event()
        catch_signals(shutdown)
        return await main(shutdown) or 0

    with _handlers_restored(), calm_collector(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(with_signals())


@contextmanager
def _handlers_restored() -> Iterator[None]:
    """A loop leaves its handlers behind: a command that goes on afterwards would not hear Ctrl-C any more."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def catch_signals(shutdown: asyncio.Event) -> None:
    """Let SIGINT and SIGTERM set the event; the second of them exits at once with 128 + its number."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if shutdown.is_set():
            os._exit(128 + number)
        logger.info("shutting down", extra={"fields": {"signal": signal.Signals(number).name}})
        shutdown.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda n, _: loop.call_soon_threadsafe(on_signal, n))
        else:
            loop.add_signal_handler(number, on_signal, number)


async def before(shutdown: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives or raises; None when `shutdown` is set first, and then the work is cancelled."""
    tasks = asyncio.create_task(work), asyncio.create_task(shutdown.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0].done() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class Supervisor:
    """Owns asyncio tasks for as long as its `async with` block runs.

    `start` takes a task that is expected to end by itself or at shutdown: if it raises, `shutdown` is set
    and the block raises that exception. `keep` takes a loop that must go on: if it raises, that is logged
    and it is started again after a growing pause.
    """

    def __init__(self, shutdown: asyncio.Event) -> None:
        self.shutdown = shutdown
        self._tasks: list[asyncio.Task[Any]] = []
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if self._failure and error is None:
            raise self._failure

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Own a task from now on; its failure shuts the process down."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def keep(
        self,
        name: str,
        loop: Callable[[], Awaitable[None]],
        *,
        pause: float = 0.2,
        longest_pause: float = 15.0,
    ) -> asyncio.Task[None]:
        """Run `loop()` again whenever it raises, after `pause` seconds, doubled up to `longest_pause`.

        A loop that returns is done. Pauses are jittered, so that many processes do not return at once.
        """
        return self.start(name, self._restart(name, loop, pause, longest_pause))

    async def stop(self) -> None:
        """Cancel what still runs, last started first, each awaited before the next. May be called twice."""
        while self._tasks:
            task = self._tasks[-1]
            task.cancel()
            await asyncio.wait([task])
            if task in self._tasks:
                self._tasks.remove(task)

    async def _restart(
        self, name: str, loop: Callable[[], Awaitable[None]], pause: float, longest_pause: float
    ) -> None:
        delay, clock = pause, asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                return await loop()
            except Exception:
                delay = pause if clock() - began > HEALTHY_SECONDS else delay
                logger.exception(
                    "%s failed and starts again", name, extra={"fields": {"pause_seconds": delay}}
                )
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, longest_pause)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        # An error of ours says what is wrong; where it was raised helps nobody.
        trace = None if isinstance(error, AnnalsError) else error
        logger.error("%s failed: %s", task.get_name(), error, exc_info=trace)
        self._failure = self._failure or error
        self.shutdown.set()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
