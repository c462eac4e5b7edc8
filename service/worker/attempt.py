"""One run of a task, and the one place where its end becomes one outcome.

However a handler ends (it returns, raises, is cancelled, runs out of time, its process dies), `Attempt.end`
is called with a Verdict, once: later ends of the same attempt, as of a thread that was given up, are ignored.
"""

import traceback
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from service.errors import AnnalsError, Invalid, TooBig
from service.model.task import ClaimedTask
from service.worker.outcomes import Fail, Retry, Snooze
from service.worker.payload import encode, storable
from service.worker.registry import TaskType

NEVER = float("inf")
LONGEST_MESSAGE, LONGEST_TRACEBACK, LONGEST_REASON = 4000, 16000, 200


class Stop(Enum):
    """Why an attempt is told to stop; its value is the outcome reported then."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a handler ended: an outcome of end_attempts and its detail. A result is JSON text already."""

    outcome: str
    detail: dict[str, Any] = field(default_factory=dict)
    result: str | None = None


# How nearly all handlers end: one object for all of them.
COMPLETED = Verdict("completed")


class Ending(NamedTuple):
    """What is reported of an attempt; a tuple, because thousands are made each second.

    Taken apart it is read quicker than by name, as in `for task, verdict, _, _ in batch`.
    """

    task: ClaimedTask
    verdict: Verdict
    duration_ms: float
    records: list[str]

    def detail_json(self) -> str:
        """The detail as end_attempts takes it, with the duration."""
        _, verdict, duration_ms, _ = self
        duration = f'"duration_ms":{duration_ms:.3f}'
        if verdict is COMPLETED:
            return f"{{{duration}}}"
        if verdict.result is not None:
            return f'{{"result":{verdict.result},{duration}}}'
        fields = "".join(f",{encode(k, 1000, k)}:{encode(v, 1 << 20, k)}" for k, v in verdict.detail.items())
        return f"{{{duration}{fields}}}"


class Executor(Protocol):
    """One way of running handlers."""

    def start(self, attempt: "Attempt") -> None:
        """Run the handler of this attempt; a place for it is free."""

    def ask(self, attempt: "Attempt", stop: Stop) -> None:
        """Make the handler stop, if need be at the expense of its cleaning up."""

    def abandon(self, attempt: "Attempt") -> None:
        """Wait for it no longer: its attempt must end now, also if the handler goes on."""

    async def close(self) -> None:
        """Stop what still runs, without waiting for handlers that do not stop."""


class Attempt:
    """A claimed task while its handler runs. `deadline` and `began` are in monotonic time.

    `run` belongs to the executor: what it must know to stop the handler.
    """

    __slots__ = (
        *("_done", "_executor", "began", "deadline", "is_over", "records", "run", "stop"),
        *("task", "task_id", "task_type"),
    )

    def __init__(
        self,
        task: ClaimedTask,
        task_type: TaskType,
        executor: Executor,
        began: float,
        done: "Callable[[Attempt, Verdict], None]",
    ) -> None:
        """`done` is called once, with the verdict that counts."""
        self.task = task
        self.task_id = task.task_id
        self.task_type = task_type
        self._executor = executor
        self.began = began
        self.deadline = began + task.timeout_seconds
        self.records: list[str] = []
        self.stop: Stop | None = None
        self.run: Any = None
        self.is_over = False
        self._done = done

    def interrupt(self, stop: Stop, patience: float) -> None:
        """Tell the handler to stop; the first reason counts, another one ends the attempt at once.

        `patience` is the monotonic time until which it may clean up.
        """
        if self.is_over:
            return
        if self.stop is None:
            self.stop, self.deadline = stop, patience
            self._executor.ask(self, stop)
        else:
            self.abandon()

    def abandon(self) -> None:
        """End the attempt of a handler that does not stop."""
        self.deadline = NEVER
        if not self.is_over:
            self._executor.abandon(self)

    def end(self, verdict: Verdict) -> None:
        """The handler ended, or is waited for no longer."""
        if not self.is_over:
            self.is_over = True
            self.deadline = NEVER
            self._done(self, verdict if self.stop is None else after_stop(verdict, self.stop))


def after_stop(verdict: Verdict, stop: Stop) -> Verdict:
    """A handler that was told to stop ended for that reason, whatever it raised on its way out.

    Only what it completed nevertheless stays completed; past the deadline not even that.
    """
    if verdict.outcome == "completed" and stop is not Stop.TIMED_OUT:
        return verdict
    return Verdict(stop.value)


def returned(value: object, limit: int) -> Verdict:
    """A handler returned: completed, or failed for good when the value cannot be stored in `limit` bytes."""
    try:
        # No result is no field: null would be a result of its own.
        return COMPLETED if value is None else Verdict("completed", result=encode(value, limit, "The result"))
    except TooBig as error:
        return failed("ResultTooBig", error.message, retry=False, reason="too_big")
    except Invalid as error:
        return failed("ResultNotStorable", error.message, retry=False, reason="not_storable")


def raised(error: BaseException) -> Verdict:
    """A handler raised. A CancelledError that the worker did not ask for is an error like others."""
    match error:
        case Snooze(seconds=None):
            return Verdict("snoozed", {"run_at": error.until.isoformat() if error.until else None})
        case Snooze():
            return Verdict("snoozed", {"delay_seconds": error.seconds})
        case Retry():
            more = {} if error.after is None else {"delay_seconds": error.after}
            return failed("Retry", str(error), trace=_trace(error), **more)
        case Fail():
            return failed("Fail", str(error), trace=_trace(error), retry=False, reason=error.reason)
        case CancelledError():
            return failed("CancelledError", "the handler cancelled itself", trace=_trace(error))
        case AnnalsError():
            return failed(type(error).__name__, error.message, trace=_trace(error))
    return failed(type(error).__name__, _message(error), trace=_trace(error))


def failed(error_type: str, message: str, *, trace: str = "", **more: Any) -> Verdict:
    """A failed attempt; `more` may hold retry (False: for good), reason and delay_seconds."""
    detail = {"error_type": error_type, "error_message": storable(message, LONGEST_MESSAGE), **more}
    if "reason" in detail:
        detail["reason"] = storable(str(detail["reason"]), LONGEST_REASON)
    if trace:
        detail["error_traceback"] = storable(trace, LONGEST_TRACEBACK)
    return Verdict("failed", detail)


def _message(error: BaseException) -> str:
    try:
        return str(error) or repr(error)
    except Exception:
        return "the error cannot be shown: its __str__ or __repr__ failed"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
