"""Routes of tasks of any type: enqueue, list, show, cancel, retry."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from service.api import task_writes
from service.api.event_models import EventModel, model
from service.api.moments import AtQuery, settled
from service.api.routing import Answer, Model, Reply, Request, Route
from service.api.services import Services
from service.api.task_detail import TaskDetail, detail
from service.api.task_models import (
    TASK,
    Reason,
    TaskDraft,
    TaskDrafts,
    TaskList,
    TaskModel,
    TaskPage,
    TaskPath,
    TaskQuery,
    of_task,
)
from service.errors import NotFound
from service.model.task import Place
from service.store.delivery_lists import Delivery, DeliveryFilter, DeliveryLists
from service.store.tasks import TaskFilter


class VersionQuery(Model):
    """A page of a stream."""

    after: int = Field(default=0, ge=0, le=2**31 - 1, description="The version after which the page starts.")
    limit: int = Field(default=1000, ge=1, le=1000)


class TaskEvents(Answer):
    """The life of one task, from its first event."""

    items: list[EventModel]
    next: int | None = Field(description="Pass as `after` for the next page; null on the last.")


async def create(request: Request[TaskDraft, None, None]) -> Reply:
    """One task; one that meets an open task with its unique_key is answered with that, and 200."""
    written = await request.services.enqueuer.enqueue(request.services, request.caller, request.body)
    return Reply(written.task, 202 if written.is_new else 200, written.position)


async def create_many(request: Request[TaskDrafts, None, None]) -> Reply:
    """Many tasks in one transaction."""
    written = await task_writes.enqueue(request.services, request.caller, request.body.tasks)
    positions = [each.position for each in written if each.position is not None]
    return Reply(TaskList(tasks=[each.task for each in written]), position=max(positions, default=None))


async def list_all(request: Request[None, TaskQuery, None]) -> Reply:
    """Tasks, newest first, as they are or were."""
    wanted, position = request.query, None
    only = TaskFilter(
        task_types=wanted.type or None,
        statuses=wanted.status or None,
        queue=wanted.queue,
        subject=wanted.subject,
        since=wanted.from_,
        until=wanted.to,
        text=wanted.text,
    )
    if wanted.at is None:
        page = await request.services.tasks.list(only, limit=wanted.limit, cursor=wanted.cursor)
    else:
        past, position = await settled(request.services, wanted.at, wanted.cursor)
        page = await past.list(position, only, limit=wanted.limit, cursor=wanted.cursor)
    return Reply(TaskPage(items=[of_task(task) for task in page.items], next=page.next), position=position)


async def show(request: Request[None, AtQuery, TaskPath]) -> Reply:
    """One task with its place in the queue and its attempts, or as it was with those up to then."""
    tasks, task_id = request.services.tasks, request.params.task_id
    if request.query.at is not None:
        return await _show_past(request.services, task_id, request.query.at)
    task = await tasks.get(task_id)
    if task is None:
        raise await task_writes.absence(request.services, task_id)
    told: Sequence[Delivery] = ()
    if task.webhook_url:
        told = (
            await DeliveryLists(request.services.db).list(DeliveryFilter(task_id=task_id), limit=10)
        ).items
    place = await tasks.queue_position(task_id)
    return Reply(detail(task, place, await tasks.attempts(task_id), told))


async def _show_past(services: Services, task_id: str, at: int | datetime) -> Reply:
    past, position = await settled(services, at)
    task = await past.get(task_id, position)
    if task is None:
        raise await past.explain_absence(task_id, position)
    attempts = await past.attempts(task_id, position)
    return Reply(detail(task, Place(None, True, None), attempts), position=position)


async def show_events(request: Request[None, VersionQuery, TaskPath]) -> TaskEvents:
    """A task's events; also of a task whose row is gone."""
    task_id, after, limit = request.params.task_id, request.query.after, request.query.limit
    events = await request.services.log.stream("task", task_id, after, limit + 1)
    if not events and not (after and await request.services.log.stream("task", task_id, 0, 1)):
        raise NotFound(f"Task not found: {task_id}")
    shown = [model(event) for event in events[:limit]]
    return TaskEvents(items=shown, next=shown[-1].version if len(events) > limit else None)


async def cancel(request: Request[None, None, TaskPath]) -> Reply:
    """Cancel: a pending task at once, a running one by asking its worker to stop."""
    return Reply(position=await task_writes.cancel(request.services, request.caller, request.params.task_id))


async def retry(request: Request[Reason, None, TaskPath]) -> Reply:
    """Return a task that failed, timed out or was cancelled to its queue."""
    reason = request.body.reason
    written = await task_writes.retry(request.services, request.caller, request.params.task_id, reason)
    return Reply(written.task, position=written.position)


PATH = "/api/v1/tasks"
TAGS = ("tasks",)
ROUTES = [
    Route(
        "POST",
        PATH,
        create,
        summary="Enqueue a task",
        description="202 with the task; 200 with the open task that has the same `unique_key`.",
        tags=TAGS,
        scope="write",
        body=TaskDraft,
        response=TaskModel,
        status=202,
        errors=(404,),
        example=TASK,
    ),
    Route(
        "POST",
        f"{PATH}/bulk",
        create_many,
        summary="Enqueue many tasks: all of them, or none",
        tags=TAGS,
        scope="write",
        body=TaskDrafts,
        response=TaskList,
        status=202,
        errors=(404,),
        example={"tasks": [TASK]},
    ),
    Route(
        "GET",
        PATH,
        list_all,
        summary="List tasks, newest first, as they are or were",
        description="With `at`: the list as it was then; filters and pages are those of that moment.",
        tags=TAGS,
        query=TaskQuery,
        response=TaskPage,
        errors=(409,),
    ),
    Route(
        "GET",
        f"{PATH}/{{task_id}}",
        show,
        summary="Show a task, its place in the queue and its attempts",
        description="With `at`: the task and its attempts as they were, also of one that is gone now.",
        tags=TAGS,
        params=TaskPath,
        query=AtQuery,
        response=TaskDetail,
        errors=(404, 409, 410),
    ),
    Route(
        "GET",
        f"{PATH}/{{task_id}}/events",
        show_events,
        summary="Tell the life of a task",
        tags=TAGS,
        params=TaskPath,
        query=VersionQuery,
        response=TaskEvents,
        errors=(404,),
    ),
    Route(
        "DELETE",
        f"{PATH}/{{task_id}}",
        cancel,
        summary="Cancel a task",
        description="A pending task is cancelled at once, a running one is asked to stop and ends so.",
        tags=TAGS,
        scope="write",
        params=TaskPath,
        status=204,
        errors=(404, 409, 410),
    ),
    Route(
        "POST",
        f"{PATH}/{{task_id}}/retry",
        retry,
        summary="Retry a task that failed, timed out or was cancelled",
        tags=TAGS,
        scope="write",
        params=TaskPath,
        body=Reason,
        body_optional=True,
        response=TaskModel,
        status=202,
        errors=(404, 409, 410),
        example={"reason": "the supplier is back"},
    ),
]
