"""Running handlers on the event loop and in threads (processes: process_pool.py).

An executor is given an attempt and the context's way home. It calls `attempt.end` when the handler ended, and
`returned(kind)` when its place is free again: for a thread that was given up, that is much later, or never.
"""

import asyncio
import contextvars
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from service.worker.attempt import Attempt, Stop, Verdict, raised, returned
from service.worker.context import Context, SyncContext
from service.worker.outcomes import Fail
from service.worker.ports import LoopPort, Surroundings, thread_port

logger = logging.getLogger(__name__)

PlaceFree = Callable[[str], None]


class AsyncExecutor:
    """Coroutine functions, one asyncio task each."""

    def __init__(self, around: Surroundings, place_free: PlaceFree) -> None:
        self._around, self._place_free = around, place_free
        self._max_bytes = around.max_bytes
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[asyncio.Task[Any], Attempt] = {}
        self._when_done = self._ended

    def start(self, attempt: Attempt) -> None:
        """Run the handler as a task named by its task id."""
        run = self._loop.create_task(self._call(attempt), name=attempt.task_id)
        self._attempts[run] = attempt
        attempt.run = run
        run.add_done_callback(self._when_done)

    def ask(self, attempt: Attempt, stop: Stop) -> None:
        """Cancel the handler."""
        attempt.run.cancel(stop.value)

    def abandon(self, attempt: Attempt) -> None:
        """End the attempt of a handler that ignores its cancellation; its place stays taken."""
        logger.warning(
            "Handler ignores its cancellation", extra={"fields": {"task_id": attempt.task.task_id}}
        )
        attempt.end(raised(asyncio.CancelledError()))

    async def close(self) -> None:
        """Cancel what still runs and give it one turn of the loop."""
        for run in list(self._attempts):
            run.cancel()
        await asyncio.sleep(0)

    async def _call(self, attempt: Attempt) -> Any:
        task, task_type, params = attempt.task, attempt.task_type, attempt.task.params
        if task_type.params:
            params = task_type.params.parse(params)
        key = self._around.idempotency_key(attempt.task_id)
        try:
            return await task_type.handler(Context(LoopPort(attempt, self._around), task, params, key))
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio would take it for the process's own and stop the loop.
            raise Fail(f"the handler called for the end of the process: {error!r}") from error

    def _ended(self, run: "asyncio.Task[Any]") -> None:
        attempt = self._attempts.pop(run)
        # A task knows its coroutine, whose context knows the attempt: a cycle, left to the garbage collector.
        attempt.run = None
        attempt.end(self._verdict_of(run))
        self._place_free("async")

    def _verdict_of(self, run: "asyncio.Task[Any]") -> Verdict:
        if run.cancelled():
            return raised(asyncio.CancelledError())
        if error := run.exception():
            return raised(error)
        return returned(run.result(), self._max_bytes)


class ThreadExecutor:
    """Plain functions, in daemon threads: one that never returns must not keep the process from ending."""

    def __init__(self, around: Surroundings, place_free: PlaceFree, threads: int) -> None:
        self._around, self._place_free, self._limit = around, place_free, threads
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def start(self, attempt: Attempt) -> None:
        """Hand the handler to a thread that is free, or to a new one."""
        if self._idle:
            self._idle -= 1
        elif self._threads < self._limit:
            self._threads += 1
            name = f"annals-handler-{self._threads}"
            threading.Thread(target=self._work_on, name=name, daemon=True).start()
        self._work.put(attempt)

    def ask(self, attempt: Attempt, stop: Stop) -> None:
        """Python cannot interrupt a thread: the handler looks at ctx.cancelled, or is left to itself."""
        if stop is Stop.TIMED_OUT:
            self.abandon(attempt)

    def abandon(self, attempt: Attempt) -> None:
        """End the attempt; its place stays taken until the handler returns."""
        fields = {"task_id": attempt.task.task_id, "task_type": attempt.task.task_type}
        logger.warning("Handler goes on in its thread after it was given up", extra={"fields": fields})
        attempt.end(raised(asyncio.CancelledError()))

    async def close(self) -> None:
        """Let the threads end that have nothing to do."""
        for _ in range(self._threads):
            self._work.put(None)

    def _work_on(self) -> None:
        while attempt := self._work.get():
            verdict = contextvars.Context().run(self._call, attempt)
            try:
                self._loop.call_soon_threadsafe(self._ended, attempt, verdict)
            except RuntimeError:
                return  # the loop is closed: nobody waits for this handler any more

    def _call(self, attempt: Attempt) -> Verdict:
        task, task_type = attempt.task, attempt.task_type
        port = thread_port(attempt, self._around, self._loop)
        try:
            params = task_type.params.parse(task.params) if task_type.params else task.params
            context = SyncContext(port, task, params, self._around.idempotency_key(task.task_id))
            return returned(task_type.handler(context), self._around.max_bytes)
        except BaseException as error:
            return raised(error)

    def _ended(self, attempt: Attempt, verdict: Verdict) -> None:
        self._idle += 1
        attempt.end(verdict)
        self._place_free("thread")
