"""Routes of failures in groups: what fails, where, how often, since when."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from service.api.routing import Answer, Model, Request, Route
from service.api.task_models import Time
from service.errors import NotFound
from service.model.error_group import ErrorGroup, GroupState, Occurrence
from service.store.error_groups import RECENT, SEEN, ErrorFilter, ErrorStore

PATH = "/api/v1/errors"
TAGS = ("errors",)


class Window(Model):
    """The time in which occurrences are counted."""

    since: Time | None = Field(default=None, description="Occurred after this time.")
    until: Time | None = Field(default=None, description="Occurred up to this time; now when left out.")


class ErrorQuery(Window):
    """Which groups are wanted. `since` is 24 hours ago when it is left out."""

    type: list[str] = Field(default=[], max_length=50, description="Task types.")
    state: list[GroupState] = Field(
        default=list(SEEN), description="`quiet` groups are only listed when asked for."
    )
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Part of its id, error type, message or frame.",
    )
    order: Literal["last_seen", "count"] = "last_seen"
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")


class OccurrenceQuery(Window):
    """How much of a group is wanted; without `since`, everything that is kept is counted."""

    limit: int = Field(default=20, ge=1, le=100, description="At most so many occurrences.")


class ErrorPath(Model):
    """One group."""

    fingerprint: str = Field(max_length=100)


class GroupModel(Answer):
    """Attempts that failed in the same way: same task type, error type, message and place."""

    fingerprint: str
    task_type: str
    error_type: str | None
    pattern: str = Field(
        description="The message, with what changes from one occurrence to the next left out."
    )
    frame: str | None = Field(description="Innermost frame in code of one's own: `directory/file:function`.")
    state: GroupState = Field(description="First seen in the window, seen before too, or only before.")
    occurrences: int = Field(description="Attempts that failed in the window.")
    tasks: int = Field(description="The tasks they belong to.")
    retried: int = Field(description="Occurrences after which the task was tried again.")
    final: int = Field(description="Occurrences that ended the task.")
    first_seen_at: datetime
    last_seen_at: datetime
    last_task_id: str
    last_message: str | None
    trend: tuple[int, ...] = Field(description="Occurrences in 24 equal parts of the window.")


class OccurrenceModel(Answer):
    """One attempt that failed."""

    task_id: str
    task: str = Field(description="Where the task is shown.")
    attempt: int
    outcome: Literal["retry_scheduled", "failed", "timeout"]
    failed_at: datetime
    worker_id: str
    message: str | None
    position: int = Field(description="Place in the log of the event that ended it.")


class GroupDetail(GroupModel):
    """A group with its last occurrences."""

    last_occurrences: list[OccurrenceModel]
    traceback: str | None = Field(description="Of the newest of them that has one.")


class GroupPage(Answer):
    """Groups of errors."""

    items: list[GroupModel]
    next: str | None = Field(description="Pass as `cursor` for the next page; null on the last.")


async def list_errors(request: Request[None, ErrorQuery, None]) -> GroupPage:
    """What fails, in groups."""
    wanted = request.query
    only = ErrorFilter(
        since=wanted.since or datetime.now(UTC) - RECENT,
        until=wanted.until,
        task_types=wanted.type or None,
        states=wanted.state or SEEN,
        text=wanted.text,
        by_count=wanted.order == "count",
    )
    page = await ErrorStore(request.services.db).list(only, limit=wanted.limit, cursor=wanted.cursor)
    return GroupPage(
        items=[GroupModel.model_construct(**asdict(each)) for each in page.items], next=page.next
    )


async def show_error(request: Request[None, OccurrenceQuery, ErrorPath]) -> GroupDetail:
    """One group with its last occurrences and a traceback."""
    wanted, fingerprint = request.query, request.params.fingerprint
    store = ErrorStore(request.services.db)
    group = await store.get(fingerprint, wanted.since, wanted.until)
    if group is None:
        raise NotFound(f"Error not found: {fingerprint}")
    return _detail(group, await store.occurrences(fingerprint, wanted.since, wanted.until, wanted.limit))


def _detail(group: ErrorGroup, occurrences: Sequence[Occurrence]) -> GroupDetail:
    shown = [
        OccurrenceModel.model_construct(**asdict(each), task=f"/api/v1/tasks/{each.task_id}")
        for each in occurrences
    ]
    traceback = next((each.traceback for each in occurrences if each.traceback), None)
    return GroupDetail.model_construct(**asdict(group), last_occurrences=shown, traceback=traceback)


ROUTES = [
    Route(
        "GET",
        PATH,
        list_errors,
        summary="List what fails, in groups",
        description="Failed attempts of one task type, error type, message pattern and place make a group.",
        tags=TAGS,
        query=ErrorQuery,
        response=GroupPage,
    ),
    Route(
        "GET",
        f"{PATH}/{{fingerprint}}",
        show_error,
        summary="Show a group of errors, its last occurrences and a traceback",
        tags=TAGS,
        params=ErrorPath,
        query=OccurrenceQuery,
        response=GroupDetail,
        errors=(404,),
    ),
]
