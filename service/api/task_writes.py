"""Writes to tasks in a caller's name: store, ring after the commit, and answer from the log.

Answers are made from the events of the write, not from the rows, which may have moved on: a request that is
repeated with its Idempotency-Key gets the same answer.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from service.api.requests import Caller
from service.api.services import Services
from service.api.task_models import TaskDraft, TaskModel, of_enqueued, of_retried, of_task
from service.errors import AnnalsError, Conflict, NotFound
from service.log import tell
from service.model.events import Event
from service.model.task import Changed, Enqueued
from service.store.doorbell import Doorbell
from service.store.wire import encode_list
from service.urls import check_webhook_urls

logger = logging.getLogger(__name__)


class Webhooked(Protocol):
    """What may name a webhook to call when it ends."""

    @property
    def webhook_url(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """A task after its enqueue; `is_new` False: its unique_key met an open task, which is shown instead."""

    task: TaskModel
    is_new: bool
    position: int | None


async def enqueue(services: Services, caller: Caller, drafts: Sequence[TaskDraft]) -> list[Written]:
    """Enqueue all tasks or none; the answers come in their order.

    Raises Invalid, naming a task's place, NotFound when its subject is not there, Conflict, TooBig.
    """
    await check_webhooks(services, drafts)
    outcomes = await services.tasks.enqueue(
        encode_list(draft.as_json() for draft in drafts),
        actor=caller.actor,
        correlation_id=caller.correlation_id,
        trace=caller.trace,
        request=caller.request,
    )
    ring_for(services.doorbell, outcomes)
    events = await services.log.events_of(outcomes)
    return [await show(services, *told) for told in zip(outcomes, events, strict=True)]


async def check_webhooks(services: Services, drafts: Sequence[Webhooked]) -> None:
    """Raise Invalid unless every webhook_url may be called."""
    if given := [{"webhook_url": draft.webhook_url} for draft in drafts if draft.webhook_url]:
        await check_webhook_urls(given, allow_localhost=services.settings.webhooks.allow_http_localhost)


def ring_for(doorbell: Doorbell, outcomes: Sequence[Enqueued]) -> None:
    """Wake the workers of the queues, and the readers of the log."""
    for queue in {outcome.queue for outcome in outcomes}:
        doorbell.ring("annals_tasks", queue)
    doorbell.ring("annals_events")


async def show(services: Services, outcome: Enqueued, event: Event | None) -> Written:
    """A task of an enqueue: a new one as it was enqueued, a duplicate (without event) as it is now."""
    if event is None:
        return Written(await find(services, outcome.task_id), False, None)
    task = of_enqueued(event)
    tell_of(task, "Task enqueued")
    return Written(task, True, outcome.position)


async def find(services: Services, task_id: str) -> TaskModel:
    """One task as it is now. Raises NotFound, Gone."""
    task = await services.tasks.get(task_id)
    if task is None:
        raise await absence(services, task_id)
    return of_task(task)


async def absence(services: Services, task_id: str) -> NotFound:
    """The error for a task without a row: 404, or 410 and where its history is."""
    return await services.tasks.absence(task_id, f"/api/v1/tasks/{quote(task_id, safe='')}/events")


async def cancel(services: Services, caller: Caller, task_id: str, reason: str | None = None) -> int | None:
    """Cancel one task; gives the position of the event, None when it was asked to stop before.

    Raises NotFound, Gone, Conflict.
    """
    (changed,) = await services.tasks.cancel([task_id], reason, actor=caller.actor, request=caller.request)
    await _refuse(services, changed, f"Cannot cancel task with status: {changed.status}")
    services.doorbell.ring("annals_events")
    if changed.outcome == "cancelled":
        # It never ran, or waited for its next attempt: no worker tells of it.
        with suppress(AnnalsError):
            tell_of(await find(services, task_id), "Task cancelled")
    return changed.position


async def retry(services: Services, caller: Caller, task_id: str, reason: str | None = None) -> Written:
    """Return an ended task to its queue. Raises NotFound, Gone, Conflict."""
    (changed,) = await services.tasks.retry([task_id], reason, actor=caller.actor, request=caller.request)
    await _refuse(services, changed, f"Cannot retry task with status: {changed.status}")
    services.doorbell.ring("annals_events")
    events = await services.log.events_of_retry(task_id, changed.position)
    return Written(of_retried(events), True, changed.position)


def tell_of(task: TaskModel, message: str, **more: object) -> None:
    """Log what the API did to a task; workers tell of what they run."""
    tell(logger, logging.INFO, message, _facts, task, more)


def _facts(task: TaskModel, more: dict[str, object]) -> dict[str, object]:
    told: dict[str, object] = {"task_id": task.task_id, "task_type": task.task_type, "attempt": task.attempt}
    return told | ({"agent_id": str(task.agent_id)} if task.agent_id else {}) | more


async def _refuse(services: Services, changed: Changed, conflict: str) -> None:
    if changed.outcome == "not_found":
        raise await absence(services, changed.task_id)
    if changed.outcome == "conflict":
        raise Conflict(conflict)
