"""Routes that refresh coverage: in the background as a task, or in the request itself."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from service.api import task_writes
from service.api.routing import Model, Reply, Request, Route
from service.api.services import Services
from service.api.task_detail import TaskDetail, detail
from service.api.task_models import TaskDraft, TaskList, TaskModel
from service.coverage.agent_models import AgentPath
from service.coverage.agents import AgentStore
from service.coverage.measure import measure_agent
from service.errors import AnnalsError, Invalid, NotFound


class SwitchedOff(AnnalsError):
    """The service takes no background work (background_tasks.enabled)."""

    code, status = "switched_off", 503


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class RefreshQuery(Model):
    """How to refresh; the body wins over the query."""

    background: bool | None = Field(default=None, description="False: measure in the request. Default true.")
    webhook_url: str | None = Field(default=None, max_length=2000, description="Told when the task ends.")
    priority: int | None = Field(default=None, ge=1, le=10, description="1 (first) to 10 (last). Default 5.")
    schedule_at: Moment | None = Field(default=None, description="Not before; without an offset it is UTC.")


class RefreshBody(RefreshQuery):
    """How to refresh."""


class BulkRefresh(Model):
    """Agents to refresh together: all of them, or none."""

    agent_ids: list[UUID] = Field(min_length=1, max_length=1000)


class StatusPath(AgentPath):
    """One task of one agent."""

    task_id: str = Field(max_length=200)


async def refresh(request: Request[RefreshBody, RefreshQuery, AgentPath]) -> Reply:
    """Enqueue a refresh and answer 202, or measure now and answer 200 with the completed task."""
    wanted = request.query.model_dump(exclude_none=True) | request.body.model_dump(exclude_none=True)
    if wanted.pop("background", True):
        return await _refresh_later(request, wanted)
    if "schedule_at" in wanted:
        raise Invalid("schedule_at needs background=true.", hint="Leave one of the two out.")
    return await _refresh_now(request, wanted)


async def _refresh_later(request: Request[Any, Any, AgentPath], wanted: dict[str, Any]) -> Reply:
    _require_background(request.services)
    if scheduled := wanted.pop("schedule_at", None):
        wanted["run_at"] = scheduled
    draft = _draft(request.params.agent_id, **wanted)
    written = await request.services.enqueuer.enqueue(request.services, request.caller, draft)
    return Reply(written.task, position=written.position)


async def _refresh_now(request: Request[Any, Any, AgentPath], wanted: dict[str, Any]) -> Reply:
    services, began = request.services, datetime.now(UTC)
    await task_writes.check_webhooks(services, [RefreshBody(**wanted)])
    agents = AgentStore(services.db)
    agent = await agents.get(request.params.agent_id)
    coverage = await measure_agent(services.db, agent, services.settings.coverage)
    task_id, position = await agents.record_coverage(agent.agent_id, coverage, began, wanted, request.caller)
    services.doorbell.ring("annals_events")
    task = await task_writes.find(services, task_id)
    took = datetime.now(UTC) - began
    task_writes.tell_of(task, "Task completed", duration_ms=round(took.total_seconds() * 1000, 3))
    return Reply(task, 200, position)


async def refresh_many(request: Request[BulkRefresh, None, None]) -> Reply:
    """Enqueue a refresh of each agent, in one transaction."""
    _require_background(request.services)
    drafts = [_draft(agent_id) for agent_id in dict.fromkeys(request.body.agent_ids)]
    try:
        written = await task_writes.enqueue(request.services, request.caller, drafts)
    except NotFound as error:
        raise Invalid(error.message, hint="Nothing was enqueued; leave these agents out.") from error
    position = max((each.position for each in written if each.position is not None), default=None)
    return Reply(TaskList(tasks=[each.task for each in written]), position=position)


async def show_status(request: Request[None, None, StatusPath]) -> TaskDetail:
    """A coverage task of this agent."""
    tasks, task_id = request.services.tasks, request.params.task_id
    task = await tasks.get(task_id)
    if task is None:
        raise await task_writes.absence(request.services, task_id)
    if task.agent_id != request.params.agent_id:
        raise NotFound(f"Task not found: {task_id}")
    return detail(task, await tasks.queue_position(task_id), await tasks.attempts(task_id))


def _draft(agent_id: UUID, **options: Any) -> TaskDraft:
    return TaskDraft(task_type="coverage_refresh", params={"agent_id": str(agent_id)}, **options)


def _require_background(services: Services) -> None:
    if not services.settings.background_tasks.enabled:
        raise SwitchedOff(
            "Background tasks are switched off.", hint="Use background=false to measure in the request."
        )


AGENT = "/api/v1/agents/{agent_id}"
TAGS = ("coverage",)
ROUTES = [
    Route(
        "POST",
        f"{AGENT}/coverage/refresh",
        refresh,
        summary="Refresh an agent's coverage",
        description="202 with the pending task; with background=false 200 with the completed one.",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        query=RefreshQuery,
        body=RefreshBody,
        body_optional=True,
        response=TaskModel,
        status=202,
        errors=(404,),
        example={"background": True, "priority": 2, "webhook_url": "https://example.com/hooks/coverage"},
    ),
    Route(
        "POST",
        "/api/v1/agents/bulk/coverage/refresh",
        refresh_many,
        summary="Refresh the coverage of many agents",
        tags=TAGS,
        scope="write",
        body=BulkRefresh,
        response=TaskList,
        status=202,
        example={"agent_ids": ["5f3c0c5e-0000-4000-8000-00000000000a"]},
    ),
    Route(
        "GET",
        f"{AGENT}/coverage/status/{{task_id}}",
        show_status,
        summary="Show how far a refresh is",
        tags=TAGS,
        params=StatusPath,
        response=TaskDetail,
        errors=(404,),
    ),
]
