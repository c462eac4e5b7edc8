"""Claiming tasks for free slots: one claimer for each way of running.

A claimer asks only for what can start at once. It sleeps until its queues ring or a task that waited is due
(alarm.py), and looks every poll interval for what a lost ring has made claimable. While claims bring all they
asked for, it goes on.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from service.errors import DatabaseUnavailable
from service.model.task import Claim, ClaimedTask
from service.probe import Probe
from service.store.tasks import TaskStore
from service.store.wakeups import EVERYTHING, Wakeup
from service.worker.alarm import Alarm
from service.worker.marks import Marks
from service.worker.slots import Slots

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What a claimer asks for: at most `batch` tasks at once, and at least every `poll_seconds`."""

    kind: str
    queues: list[str]
    task_types: list[str]
    batch: int
    poll_seconds: float


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a claimer may claim: the gate is open (the worker is known to live), and the flusher keeps up."""

    gate: asyncio.Event
    flusher_has_room: Callable[[], Awaitable[None]]
    worker_id: Callable[[], str]


class Claimer:
    """A loop of its own: `run()` until `stop()`."""

    def __init__(
        self,
        scope: Scope,
        conditions: Conditions,
        tasks: TaskStore,
        slots: Slots,
        wakeup: Wakeup,
        take: Callable[[Sequence[ClaimedTask]], None],
    ) -> None:
        """`take` is called with the tasks of a claim; their places in `slots` are taken already."""
        self._scope, self._conditions, self._tasks = scope, conditions, tasks
        self._slots, self._wakeup, self._take = slots, wakeup, take
        self._marks, self._alarm = Marks(scope.poll_seconds), Alarm()
        self._more = True
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self._pause = FIRST_PAUSE
        # When the claim that is on its way was sent, in monotonic time; None between claims.
        self.claiming_since: float | None = None
        self.claimed: Probe[Claim] = Probe()

    async def run(self) -> None:
        """Claim until stopped."""
        self._loop = asyncio.current_task()
        with suppress(asyncio.CancelledError):
            while not self._stopping:
                if not self._more:
                    await self._work_may_be_there()
                await self._conditions.gate.wait()
                await self._conditions.flusher_has_room()
                free = await self._slots.wait(self._scope.kind)
                if not self._stopping:
                    await self._claim(min(free, self._scope.batch))

    def stop(self) -> None:
        """Claim no more. A claim that is on its way is waited for: what it took must not be forgotten."""
        self._stopping = True
        if self._loop and self.claiming_since is None:
            self._loop.cancel()

    async def _work_may_be_there(self) -> None:
        """Return when one of our queues rang, a task is due, or the poll interval is over."""
        poll_at = monotonic() + self._scope.poll_seconds * random.uniform(0.75, 1.0)
        until = min(poll_at, self._alarm.at)
        while await self._wakeup.wait(max(0.0, until - monotonic())):
            self._wakeup.clear()
            if self._concerns_us(self._wakeup.payloads()):
                return
        if until < poll_at:
            self._alarm.ring(monotonic())

    def _concerns_us(self, payloads: set[str]) -> bool:
        """Whether a ring is for a queue of ours; `queue!` and a reconnect ask for a full look."""
        if EVERYTHING in payloads:
            self._marks.wish_full_look()
            return True
        ours = False
        for payload in payloads:
            queue = payload.removesuffix("!")
            if queue in self._scope.queues:
                ours = True
                if payload != queue:
                    self._marks.wish_full_look()
        return ours

    async def _claim(self, slots: int) -> None:
        """Fill slots, and learn whether there is more."""
        kind = self._scope.kind
        self._slots.take(kind, slots)
        taken = 0
        try:
            claim = await self._ask(slots)
            taken = len(claim.tasks)
            self._take(claim.tasks)
            self._more = taken == slots
            self._alarm.set(monotonic(), taken > 0, claim.due_in)
            self._pause = FIRST_PAUSE
            self.claimed.emit(claim)
        except DatabaseUnavailable as error:
            self._marks.wish_full_look()
            self._more = True
            fields = {"error": error.hint or error.message}
            logger.warning("No claim: the database is not available", extra={"fields": fields})
        finally:
            self._slots.give(kind, slots - taken)
            self.claiming_since = None
        if not taken and self._more:
            await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _ask(self, slots: int) -> Claim:
        # Clear, then claim. A ring that lands while the claim is on its way sets the flag again and the next
        # wait returns at once; cleared afterwards, it would be lost until the next poll.
        self._wakeup.clear()
        self._concerns_us(self._wakeup.payloads())
        began = self.claiming_since = monotonic()
        marks = self._marks.begin(began)
        scope = self._scope
        claim = await self._tasks.claim(
            self._conditions.worker_id(), scope.queues, scope.task_types, slots, marks or ()
        )
        if marks is None:
            self._marks.looked_fully(began, monotonic())
        self._marks.advance(claim.settled, claim.tasks, len(claim.tasks) < slots)
        return claim
