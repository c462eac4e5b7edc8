"""One asyncio task with a start and a stop that may come in any order, and any number of times."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Background:
    """Runs `work()` from start() to stop(); if it fails by itself, that is logged."""

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name, self._work = name, work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=self._name)
            self._task.add_done_callback(self._ended)

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """End it: when it has not ended by itself within the grace, by cancelling it."""
        task, self._task = self._task, None
        if task is None:
            return
        if grace_seconds:
            await asyncio.wait([task], timeout=grace_seconds)
        task.cancel()
        await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.error("%s failed", self._name, exc_info=error)
