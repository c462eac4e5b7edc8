"""Single enqueues of tasks, for `POST /tasks`."""

from typing import Any

from service.api import task_writes
from service.api.requests import Caller
from service.api.services import Services
from service.api.task_writes import Written


class Enqueuer:
    """One per process."""

    async def enqueue(self, services: Services, caller: Caller, task: dict[str, Any]) -> Written:
        """Enqueue one task; its answer comes after the commit."""
        (written,) = await task_writes.enqueue(services, caller, [task])
        return written
