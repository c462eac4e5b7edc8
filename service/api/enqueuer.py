"""One task for one request: those that arrive together are written together (service/store/grouping.py)."""

from collections.abc import Sequence
from typing import NamedTuple

from service.api import task_writes
from service.api.log_reads import Log
from service.api.requests import Caller
from service.api.services import Services
from service.api.task_models import TaskDraft
from service.api.task_writes import Written
from service.model.events import Event
from service.model.task import Enqueued
from service.store.doorbell import Doorbell
from service.store.grouping import ALONE, Grouping
from service.store.tasks import TaskStore


class Told(NamedTuple):
    """What became of a task, and its task.enqueued event; None for a duplicate."""

    outcome: Enqueued
    event: Event | None


class Enqueuer:
    """One per process."""

    def __init__(self, tasks: TaskStore, log: Log, doorbell: Doorbell) -> None:
        self._log, self._doorbell = log, doorbell
        self._grouping = Grouping(tasks, self._after_commit)

    async def enqueue(self, services: Services, caller: Caller, draft: TaskDraft) -> Written:
        """Enqueue one task; gives its answer after the commit. Raises what task_writes.enqueue raises."""
        await task_writes.check_webhooks(services, [draft])
        told = await self._grouping.enqueue(
            draft.as_json(),
            actor=caller.actor,
            correlation_id=caller.correlation_id,
            trace=caller.trace,
            request=caller.request,
            alone=any(getattr(draft, name) for name in ALONE),
        )
        return await task_writes.show(services, *told)

    async def _after_commit(self, outcomes: Sequence[Enqueued]) -> list[Told]:
        task_writes.ring_for(self._doorbell, outcomes)
        events = await self._log.events_of(outcomes)
        return list(map(Told, outcomes, events))
