"""Single enqueues that arrive together are written together: one statement and one commit for all of them.

While a group is being written the next one gathers, so nobody waits for company that does not come. Each
request is answered after the commit that holds its own task. A group that is refused is divided until the bad
task stands alone: it fails alone, and with its own error.

There is no task in the background: the requests themselves take turns in leading. A leader writes for those
that wait, and when it is done hands the lead to the next of them.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.api import task_writes
from service.api.requests import Caller
from service.api.services import Services
from service.api.task_writes import Written
from service.errors import AnnalsError, DatabaseUnavailable
from service.model.task import Enqueued

# One is being committed while another is on its way.
LEADERS = 2
MOST_TOGETHER = 500
# These may wait for another transaction, or collide with one: others should not have to share that.
ALONE = ("unique_key", "task_id")

Answer = asyncio.Future[Written | None]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A request that waits for its task to be written; an `answer` of None says: take the lead."""

    caller: Caller
    task: dict[str, Any]
    answer: Answer


class Enqueuer:
    """One per process."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._leaders = 0

    async def enqueue(self, services: Services, caller: Caller, task: dict[str, Any]) -> Written:
        """Enqueue one task; gives its answer after the commit. Raises what task_writes.enqueue raises."""
        if caller.request or caller.trace or any(task.get(name) for name in ALONE):
            (written,) = await task_writes.enqueue(services, caller, [task])
            return written
        await task_writes.check_webhooks(services, [task])
        own = Waiting(caller, task, asyncio.get_running_loop().create_future())
        if self._leaders < LEADERS:
            self._leaders += 1
        elif answer := await self._turn(own):
            return answer
        try:
            return await self._lead(services, own)
        finally:
            self._hand_on()

    async def _turn(self, own: Waiting) -> Written | None:
        """The answer that a leader gives, or None for the lead; a request that is given up passes that on."""
        self._waiting.append(own)
        try:
            return await own.answer
        except asyncio.CancelledError:
            leads = own.answer.done() and not own.answer.cancelled() and own.answer.exception() is None
            if leads and own.answer.result() is None:
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        """Let the first that waits lead, or lay the lead down."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():  # else it was given up
                waiting.answer.set_result(None)
                return
        self._leaders -= 1

    async def _lead(self, services: Services, own: Waiting) -> Written:
        """Write for oneself, and for those with the same key that wait."""
        await asyncio.sleep(0)  # who arrived in the same moment comes along
        group = self._take(own)
        try:
            await _write(services, group)
        finally:
            # Nobody waits for ever for a leader that was given up.
            _fail(group[1:], DatabaseUnavailable("The database did not answer in time."))
        written = group[0].answer.result()
        assert written is not None
        return written

    def _take(self, own: Waiting) -> list[Waiting]:
        """The leader, with a fresh answer, and those it writes for, who wait in line no longer."""
        group = [Waiting(own.caller, own.task, asyncio.get_running_loop().create_future())]
        left: deque[Waiting] = deque()
        for waiting in self._waiting:
            if waiting.answer.done():
                continue
            together = waiting.caller.name == own.caller.name and len(group) < MOST_TOGETHER
            (group if together else left).append(waiting)
        self._waiting = left
        return group


async def _write(services: Services, group: Sequence[Waiting]) -> None:
    """Write a group in one transaction, or in halves when it is refused; every answer is set."""
    try:
        outcomes = await services.tasks.enqueue(
            [waiting.task for waiting in group],
            actor=group[0].caller.actor,
            correlation_ids=[waiting.caller.correlation_id for waiting in group],
        )
    except Exception as error:
        if len(group) == 1 or not _wrote_nothing(error):
            _fail(group, error)
            return
        middle = len(group) // 2
        await _write(services, group[:middle])
        await _write(services, group[middle:])
        return
    task_writes.ring_for(services, outcomes)
    await _answer(services, group, outcomes)


async def _answer(services: Services, group: Sequence[Waiting], outcomes: Sequence[Enqueued]) -> None:
    """After the commit: whatever goes wrong now must not write again."""
    try:
        shown = await task_writes.show(services, outcomes)
    except Exception as error:
        _fail(group, error)
        return
    for waiting, written in zip(group, shown, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(written)


def _wrote_nothing(error: Exception) -> bool:
    """Whether the database refused the statement; of one that got no answer nobody knows."""
    refused = isinstance(error, AnnalsError) or getattr(error, "sqlstate", None) is not None
    return refused and not isinstance(error, DatabaseUnavailable)


def _fail(group: Sequence[Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
