"""Hearing that running tasks are to stop: at once by the wake-up, by looking when a wake-up may be lost."""

from collections.abc import Callable
from time import monotonic

from service.errors import DatabaseUnavailable
from service.store.tasks import TaskStore
from service.store.wakeups import EVERYTHING, Wakeup


class Cancellations:
    """Calls `cancel` with the id of each running task that was asked to stop; again and again is fine."""

    def __init__(
        self,
        tasks: TaskStore,
        wakeup: Wakeup,
        poll_seconds: float,
        running: Callable[[], list[str]],
        cancel: Callable[[str], None],
    ) -> None:
        self._tasks, self._wakeup, self._poll = tasks, wakeup, poll_seconds
        self._running, self._cancel = running, cancel

    async def run(self) -> None:
        """Listen and look until cancelled. While the database is away nobody can cancel either."""
        next_look = monotonic()
        while True:
            await self._wakeup.wait(max(0.0, next_look - monotonic()))
            self._wakeup.clear()
            rung = self._wakeup.payloads()
            for task_id in rung:
                self._cancel(task_id)
            if EVERYTHING in rung or monotonic() >= next_look:
                next_look = monotonic() + self._poll
                await self._look()

    async def _look(self) -> None:
        try:
            if running := self._running():
                for task_id in await self._tasks.cancellations(running):
                    self._cancel(task_id)
        except DatabaseUnavailable:
            return
