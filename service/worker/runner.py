"""The attempts of a worker, from the claim to the confirmed end."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from service.log import tell
from service.model.task import ClaimedTask
from service.worker.attempt import NEVER, Attempt, Ending, Executor, Stop, Verdict
from service.worker.context import agent_of
from service.worker.deadlines import Deadlines
from service.worker.registry import Registry

logger = logging.getLogger(__name__)

# How long a handler that was told to stop may clean up.
CLEANUP_SECONDS = 5.0
# How the outcomes of attempts stand in the log.
MESSAGES = {
    "completed": "Task completed",
    "failed": "Task failed",
    "timeout": "Task timed out",
    "retry_scheduled": "Task retry scheduled",
    "cancelled": "Task cancelled",
}
SERIOUS = ("failed", "timeout", "lease_lost")


class Runner:
    """Starts, interrupts and counts attempts; reports each end to `report`."""

    def __init__(
        self, registry: Registry, report: Callable[[Ending], None], worker_id: Callable[[], str]
    ) -> None:
        self._registry, self._report, self._worker_id = registry, report, worker_id
        self._executors: Mapping[str, Executor] = {}
        self._running: dict[str, Attempt] = {}
        self._none_runs = asyncio.Event()
        self._none_runs.set()
        self._deadlines = Deadlines(self._running.values, self._expire)
        # Lease by task id, from the claim to the confirmed end.
        self.held: dict[str, int] = {}

    def use(self, executors: Mapping[str, Executor]) -> None:
        """The ways of running, by kind; before the first start."""
        self._executors = executors

    @property
    def running(self) -> list[str]:
        """Ids of the tasks whose handlers run."""
        return list(self._running)

    def longest_seconds(self) -> float | None:
        """For how long the attempt runs that began first; None when none runs."""
        began = min((attempt.began for attempt in self._running.values()), default=None)
        return None if began is None else monotonic() - began

    def start(self, tasks: Sequence[ClaimedTask]) -> None:
        """Run the handlers of tasks that were claimed."""
        if not tasks:
            return
        self._none_runs.clear()
        is_told, worker_id = logger.isEnabledFor(logging.INFO), self._worker_id()
        began, soonest, ended = monotonic(), NEVER, self._ended
        for task in tasks:
            task_type = self._registry.get(task.task_type)
            executor = self._executors[task_type.run_in]
            attempt = Attempt(task, task_type, executor, began, ended)
            self.held[attempt.task_id] = task.lease
            self._running[attempt.task_id] = attempt
            if is_told:
                tell(logger, logging.INFO, "Task started", _task_facts, task, worker_id)
            executor.start(attempt)
            if attempt.deadline < soonest:
                soonest = attempt.deadline
        self._deadlines.watch(soonest)

    def give_back(self, task: ClaimedTask) -> None:
        """Release a task that was claimed and shall not be started."""
        self.held[task.task_id] = task.lease
        self._report(Ending(task, Verdict(Stop.RELEASED.value), 0.0, []))

    def cancel(self, task_id: str) -> None:
        """A cancellation was requested; nothing happens for a task that does not run here."""
        attempt = self._running.get(task_id)
        if attempt is None or attempt.stop is not None:
            return
        patience = attempt.deadline
        if attempt.task_type.run_in == "process":
            patience = min(patience, monotonic() + CLEANUP_SECONDS)
        attempt.interrupt(Stop.CANCELLED, patience)
        self._deadlines.watch(patience)

    def release_all(self) -> None:
        """Tell every handler to stop; their tasks go back to the queue."""
        patience = monotonic() + CLEANUP_SECONDS
        for attempt in list(self._running.values()):
            if attempt.stop is None:
                attempt.interrupt(Stop.RELEASED, patience)
        self._deadlines.watch(patience)

    async def idle(self) -> None:
        """Wait until no handler runs, or is waited for."""
        await self._none_runs.wait()

    async def close(self) -> None:
        """End the attempts that are left, then what runs them."""
        self._deadlines.close()
        for attempt in list(self._running.values()):
            attempt.abandon()
        for executor in self._executors.values():
            await executor.close()

    def confirmed(self, batch: Sequence[Ending], others: Mapping[str, str]) -> None:
        """The database has these ends; `others` tells the outcome of each task that did not complete."""
        held = self.held
        for task, _, _, _ in batch:
            task_id = task.task_id
            if held.get(task_id) == task.lease:
                del held[task_id]
        for ending in batch if logger.isEnabledFor(logging.INFO) or others else ():
            self._tell_end(ending, others.get(ending.task.task_id, "completed"))

    def _tell_end(self, ending: Ending, outcome: str) -> None:
        level = logging.WARNING if outcome in SERIOUS else logging.INFO
        message = MESSAGES.get(outcome) or f"Task {outcome.replace('_', ' ')}"
        tell(logger, level, message, _end_facts, ending, self._worker_id())

    def progressed(self, task_id: str, outcome: str) -> None:
        """The answer to a report of progress: a task that was cancelled or lost is to stop."""
        if outcome == "cancellation_requested":
            self.cancel(task_id)
        elif outcome in ("lease_lost", "not_found") and task_id in self._running:
            self.lost(task_id, self._running[task_id].task.lease)

    def lost(self, task_id: str, lease: int) -> None:
        """A task was taken from us; nothing happens when it does not run here or was told to stop already."""
        attempt = self._running.get(task_id)
        if attempt and attempt.task.lease == lease and attempt.stop is None:
            patience = monotonic() + CLEANUP_SECONDS
            message = "Task was taken from this worker"
            tell(logger, logging.WARNING, message, _task_facts, attempt.task, self._worker_id())
            attempt.interrupt(Stop.RELEASED, patience)
            self._deadlines.watch(patience)

    def _ended(self, attempt: Attempt, verdict: Verdict) -> None:
        task_id = attempt.task_id
        if self._running.get(task_id) is attempt:
            del self._running[task_id]
            if not self._running:
                self._none_runs.set()
        duration_ms = (monotonic() - attempt.began) * 1000
        self._report(Ending(attempt.task, verdict, duration_ms, attempt.records))

    def _expire(self, attempt: Attempt) -> None:
        if attempt.stop is None:
            attempt.interrupt(Stop.TIMED_OUT, monotonic() + CLEANUP_SECONDS)
        else:
            attempt.abandon()


def _task_facts(task: ClaimedTask, worker_id: str) -> dict[str, object]:
    """What every line about an attempt tells."""
    agent_id = agent_of(task.subject)
    told = {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "attempt": task.attempt,
        "worker_id": worker_id,
    }
    return told | ({"agent_id": str(agent_id)} if agent_id else {})


def _end_facts(ending: Ending, worker_id: str) -> dict[str, object]:
    error = ending.verdict.detail.get("error_message")
    told = _task_facts(ending.task, worker_id) | {"duration_ms": round(ending.duration_ms, 3)}
    return told | ({"error": error} if error else {})
