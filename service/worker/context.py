"""What a handler gets: its task, and ways to tell the log about the work while it is being done.

`Context` is for coroutine functions, `SyncContext` for handlers in threads and processes: the same names,
without `await`. Nothing here waits for the database, except `enqueue`. Progress and checkpoints are written
at most once a second, the latest wins; a checkpoint is written at the latest before the attempt's end is, so
it is lost only when the worker itself dies. What `record` takes is appended in the transaction that completes
the task, and not at all when the attempt fails.

`enqueue` happens at once, whatever becomes of the attempt. A later attempt that enqueues the same content
again gets the task of the first one (for 24 hours), so a retried handler does not double what it started.
"""

import asyncio
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from service.errors import Invalid
from service.model.task import ClaimedTask
from service.settings import Settings
from service.store.pool import Database

P = TypeVar("P")


class Port(Protocol):
    """The side of the context that reaches the worker, from wherever the handler runs."""

    @property
    def stopping(self) -> bool: ...
    def report(self, percentage: float, step: str | None) -> None: ...
    def save(self, checkpoint: Any) -> None: ...
    def record(
        self, event_type: str, data: dict[str, Any], stream: tuple[str, str], keep_if_cancelled: bool
    ) -> None: ...


class AsyncPort(Port, Protocol):
    """A port on the event loop."""

    @property
    def db(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    async def enqueue(self, draft: dict[str, Any]) -> str: ...


class SyncPort(Port, Protocol):
    """A port in a thread or a process."""

    def enqueue(self, draft: dict[str, Any]) -> str: ...


class BaseContext(Generic[P]):
    """The task of this attempt. `params` is what the handler declares, else the plain JSON value."""

    __slots__ = ("_port", "checkpoint", "idempotency_key", "params", "task")

    def __init__(self, port: Port, task: ClaimedTask, params: P, idempotency_key: str) -> None:
        """`idempotency_key` is the same in every attempt of this task, and no other task's ever."""
        self._port = port
        self.task = task
        self.params = params
        self.idempotency_key = idempotency_key
        self.checkpoint: Any = task.checkpoint

    @property
    def task_id(self) -> str:
        """Identity of the task."""
        return self.task.task_id

    @property
    def task_type(self) -> str:
        """Its kind."""
        return self.task.task_type

    @property
    def attempt(self) -> int:
        """Number of this run, from 1; it counts released and rescued runs too."""
        return self.task.attempt

    @property
    def failures(self) -> int:
        """Attempts that failed before this one."""
        return self.task.failures

    @property
    def max_attempts(self) -> int:
        """Failures after which the task is given up."""
        return self.task.max_attempts

    @property
    def lease(self) -> int:
        """The right to finish the task: the version of the event that started this attempt."""
        return self.task.lease

    @property
    def subject(self) -> str | None:
        """What the task is about, as <noun>:<id>."""
        return self.task.subject

    @property
    def agent_id(self) -> UUID | None:
        """The agent, when the subject is one."""
        return agent_of(self.task.subject)

    @property
    def correlation_id(self) -> str | None:
        """The request that this work goes back to."""
        return self.task.correlation_id

    @property
    def created_at(self) -> datetime:
        """When the task was enqueued."""
        return self.task.created_at

    @property
    def timeout_seconds(self) -> float:
        """How long this attempt may take."""
        return self.task.timeout_seconds

    @property
    def cancelled(self) -> bool:
        """Whether this attempt is to stop: cancelled, past its deadline, or the worker stops."""
        return self._port.stopping

    def check_cancelled(self) -> None:
        """Raise asyncio.CancelledError if this attempt is to stop."""
        if self._port.stopping:
            raise asyncio.CancelledError("the attempt is to stop")

    def record(
        self,
        event_type: str,
        data: dict[str, Any],
        stream: tuple[str, str],
        *,
        keep_if_cancelled: bool = False,
    ) -> None:
        """Append an event to a stream, (type, id), in the transaction that completes the task.

        With `keep_if_cancelled` also when the task is cancelled: for facts about the outside world. Raises
        Invalid or TooBig for data that cannot be stored.
        """
        self._port.record(event_type, data, stream, keep_if_cancelled)

    def _report(self, percent: float, step: str | None) -> None:
        if not 0 <= percent <= 100:
            raise Invalid(f"Progress of {percent} is not within 0 to 100.")
        self._port.report(percent, step)

    def _save(self, value: Any) -> None:
        self._port.save(value)
        self.checkpoint = value


class Context(BaseContext[P]):
    """The context of a coroutine function."""

    __slots__ = ()
    _port: AsyncPort

    @property
    def db(self) -> Database:
        """Connections for the handler's own reads and writes, apart from those the worker lives on."""
        return self._port.db

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._port.settings

    async def progress(self, percent: float, step: str | None = None) -> None:
        """Say how far the work is, 0 to 100, and what is being done; lets others run. Raises Invalid."""
        self._report(percent, step)
        await asyncio.sleep(0)

    async def save_checkpoint(self, value: Any) -> None:
        """Keep a JSON value for the next attempt (`ctx.checkpoint`). Raises Invalid or TooBig."""
        self._save(value)
        await asyncio.sleep(0)

    async def enqueue(self, task_type: str, params: dict[str, Any] | None = None, **options: Any) -> str:
        """Enqueue another task now and give its id; options as in enqueue_task. Raises Invalid and others."""
        return await self._port.enqueue({"task_type": task_type, "params": params or {}, **options})


class SyncContext(BaseContext[P]):
    """The context of a handler in a thread or a process."""

    __slots__ = ()
    _port: SyncPort

    def progress(self, percent: float, step: str | None = None) -> None:
        """Say how far the work is, 0 to 100, and what is being done. Raises Invalid."""
        self._report(percent, step)

    def save_checkpoint(self, value: Any) -> None:
        """Keep a JSON value for the next attempt (`ctx.checkpoint`). Raises Invalid or TooBig."""
        self._save(value)

    def enqueue(self, task_type: str, params: dict[str, Any] | None = None, **options: Any) -> str:
        """Enqueue another task now and give its id; options as in enqueue_task. Raises Invalid and others."""
        return self._port.enqueue({"task_type": task_type, "params": params or {}, **options})


def agent_of(subject: str | None) -> UUID | None:
    """The agent's id of a subject `agent:<uuid>`, None for any other subject."""
    if subject is None or not subject.startswith("agent:"):
        return None
    try:
        return UUID(subject[6:])
    except ValueError:
        return None
