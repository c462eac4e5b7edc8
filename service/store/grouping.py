"""Single enqueues that arrive together are written together: one statement and one commit for all of them.

While a group is being written the next one gathers, so nobody waits for company that does not come. Each
caller is answered after the commit that holds its own task. A group that is refused is divided until the bad
task stands alone: it fails alone, and with its own error. A caller that is cancelled takes nobody with it: a
group is given up when all of its callers are.

Who waits for each task before giving the next has them written in that order.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from service.errors import AnnalsError, DatabaseUnavailable, Invalid
from service.model.task import Enqueued, RequestKey
from service.store.tasks import TaskStore
from service.store.wire import Json, encode, encode_list

# One is being committed while another is on its way.
WRITERS = 2
# Bounds of a group: many small tasks, or a few big ones.
MOST_TOGETHER, MOST_CHARACTERS = 500, 1_000_000
# These may wait for another transaction, or collide with one: others should not have to share that.
ALONE = ("unique_key", "task_id")

Answer = TypeVar("Answer")
# What is done after the commit, as ringing: gives an answer for each outcome, in their order.
AfterCommit = Callable[[Sequence[Enqueued]], Awaitable[Sequence[Answer]]]


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[Answer]):
    """One whose task is to be written. An answer that is there already: its caller was cancelled."""

    task: Json
    actor: str
    correlation_id: str | None
    answer: "asyncio.Future[Answer]" = field(default_factory=_future)


class Grouping(Generic[Answer]):
    """One for each process and database; belongs to one event loop."""

    def __init__(self, tasks: TaskStore, after_commit: AfterCommit[Answer]) -> None:
        self._tasks, self._after_commit = tasks, after_commit
        self._waiting: deque[Waiting[Answer]] = deque()
        self._writers: dict[asyncio.Task[None], list[Waiting[Answer]]] = {}
        self._coming: asyncio.Task[None] | None = None  # a writer that has not looked yet who waits

    async def enqueue(
        self,
        task: Mapping[str, Any] | Json,
        *,
        actor: str,
        correlation_id: str | None = None,
        trace: str | None = None,
        request: RequestKey | None = None,
        alone: bool = False,
    ) -> Answer:
        """Enqueue one task; gives its answer after the commit. Raises what TaskStore.enqueue raises.

        `alone` is to be said of a task that has one of ALONE; of one that is not JSON yet, it is seen.
        """
        if not isinstance(task, Json):
            alone = alone or any(task.get(name) for name in ALONE)
            task = _encoded(task)
        if alone or request or trace:
            outcomes = await self._tasks.enqueue(
                encode_list([task]), actor=actor, correlation_id=correlation_id, trace=trace, request=request
            )
            return (await self._after_commit(outcomes))[0]
        own: Waiting[Answer] = Waiting(task, actor, correlation_id)
        self._waiting.append(own)
        self._call_writer()
        try:
            return await own.answer
        except asyncio.CancelledError:
            await self._give_up(own)
            raise

    def _call_writer(self) -> None:
        """Have those that wait written, in the loop's next turn: who arrives in this one comes along."""
        if self._waiting and self._coming is None and len(self._writers) < WRITERS:
            self._coming = asyncio.get_running_loop().create_task(self._write_next(), name="grouped enqueue")
            self._writers[self._coming] = []
            self._coming.add_done_callback(self._ended)

    def _ended(self, writer: "asyncio.Task[None]") -> None:
        del self._writers[writer]
        if self._coming is writer:
            self._coming = None
        self._call_writer()

    async def _give_up(self, own: Waiting[Answer]) -> None:
        """End the statement that nobody waits for any more; returns when the server has given it up."""
        for writer, group in tuple(self._writers.items()):
            if own in group and all(waiting.answer.done() for waiting in group):
                writer.cancel()
                await asyncio.wait([writer])

    async def _write_next(self) -> None:
        writer, self._coming = self._coming, None
        assert writer is not None
        self._writers[writer] = group = self._take()
        self._call_writer()  # of another actor, or more than one statement holds
        if not group:
            return
        try:
            await self._write(group)
        finally:
            # Of a writer that was cancelled: nobody waits for it for ever.
            _fail(group, DatabaseUnavailable("The database did not answer in time."))

    def _take(self) -> list[Waiting[Answer]]:
        """The first that waits and those of the same actor, who wait in line no longer."""
        group: list[Waiting[Answer]] = []
        left: deque[Waiting[Answer]] = deque()
        size = 0
        for waiting in self._waiting:
            if waiting.answer.done():
                continue
            alike = not group or waiting.actor == group[0].actor
            size += len(waiting.task) if alike else 0
            fits = not group or (len(group) < MOST_TOGETHER and size <= MOST_CHARACTERS)
            (group if alike and fits else left).append(waiting)
        self._waiting = left
        return group

    async def _write(self, group: Sequence[Waiting[Answer]]) -> None:
        """Write a group in one transaction, or in halves when it is refused; every answer is set."""
        try:
            outcomes = await self._tasks.enqueue(
                encode_list(waiting.task for waiting in group),
                actor=group[0].actor,
                correlation_ids=[waiting.correlation_id for waiting in group],
            )
        except Exception as error:
            if len(group) == 1 or not _wrote_nothing(error):
                _fail(group, error)
                return
            middle = len(group) // 2
            await self._write(group[:middle])
            await self._write(group[middle:])
            return
        await self._answer(group, outcomes)

    async def _answer(self, group: Sequence[Waiting[Answer]], outcomes: Sequence[Enqueued]) -> None:
        """After the commit: whatever goes wrong now must not write again."""
        try:
            answers = await self._after_commit(outcomes)
        except Exception as error:
            _fail(group, error)
            return
        for waiting, answer in zip(group, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)


def _encoded(task: Mapping[str, Any]) -> Json:
    """As JSON, in the name of the one who gives it: others do not share what cannot be encoded."""
    try:
        return encode(task)
    except (TypeError, ValueError) as error:
        raise Invalid(
            f"The task is no JSON: {error}.", hint="Give text, numbers, lists and objects."
        ) from error


def _wrote_nothing(error: Exception) -> bool:
    """Whether the database refused the statement; of one that got no answer nobody knows."""
    refused = isinstance(error, AnnalsError) or getattr(error, "sqlstate", None) is not None
    return refused and not isinstance(error, DatabaseUnavailable)


def _fail(group: Sequence[Waiting[Any]], error: Exception) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
