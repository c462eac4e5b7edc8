"""One timer for the deadlines of all attempts.

A timer for each attempt would cost more than most attempts. Here a new attempt costs one comparison; when
the earliest deadline that was ever seen comes, all running attempts are looked at once, and the next
earliest is remembered. With deadlines of minutes that is a look every few minutes.
"""

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """Something with a deadline, in monotonic time."""

    @property
    def deadline(self) -> float: ...


T = TypeVar("T", bound=Timed)


class Deadlines(Generic[T]):
    """Calls `expire` for each running thing whose deadline has passed; it must then have another deadline."""

    def __init__(self, running: Callable[[], Iterable[T]], expire: Callable[[T], None]) -> None:
        self._running = running
        self._expire = expire
        self._next = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, deadline: float) -> None:
        """Something with this deadline has started to run."""
        if deadline < self._next:
            self._arm(deadline)

    def close(self) -> None:
        """Let no deadline expire any more."""
        self._next = float("-inf")
        if self._timer:
            self._timer.cancel()

    def _arm(self, deadline: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._next = deadline
        if deadline < float("inf"):
            self._timer = asyncio.get_running_loop().call_later(deadline - monotonic(), self._look)

    def _look(self) -> None:
        # The loop may be early by its clock's resolution.
        now = max(monotonic(), self._next)
        over = [thing for thing in self._running() if thing.deadline <= now]
        for thing in sorted(over, key=lambda thing: thing.deadline):
            self._expire(thing)
        self._arm(min((thing.deadline for thing in self._running()), default=float("inf")))
