"""Routes of agents: create, list, show, change, delete, targets."""

from pydantic import Field, RootModel

from service.api.routing import Reply, Request, Route
from service.coverage.agent_models import (
    EXAMPLE,
    AgentChanges,
    AgentDraft,
    AgentFilter,
    AgentList,
    AgentModel,
    AgentPath,
    AgentSearch,
    Targets,
    of_agent,
)
from service.coverage.agents import AgentStore, Draft
from service.coverage.measure import measure


class TargetsBody(RootModel[dict[str, int]]):
    """Document counts by node id; replaces all targets set before."""

    root: dict[str, int] = Field(examples=[{"6ba7b810-9dad-41d1-80b4-00c04fd430c8": 20}])


async def create(request: Request[AgentDraft, None, None]) -> Reply:
    """Measure the scope, then create the agent with that coverage."""
    wanted, services = request.body, request.services
    node_ids = list(dict.fromkeys(wanted.taxonomy_node_ids))
    coverage = await measure(services.db, node_ids, wanted.taxonomy_version, {}, services.settings.coverage)
    draft = Draft(
        wanted.name,
        node_ids,
        wanted.taxonomy_version,
        wanted.scope_description,
        wanted.retrieval_config.model_dump(),
        wanted.features_config,
    )
    agents = AgentStore(services.db)
    agent_id, position = await agents.create(draft, coverage, request.caller)
    services.doorbell.ring("annals_events")
    return Reply(of_agent(await agents.get(agent_id)), position=position)


async def show(request: Request[None, None, AgentPath]) -> AgentModel:
    """One agent."""
    return of_agent(await AgentStore(request.services.db).get(request.params.agent_id))


async def list_all(request: Request[None, AgentFilter, None]) -> AgentList:
    """Agents by level and coverage."""
    wanted = request.query
    found, total = await AgentStore(request.services.db).find(
        level=wanted.level, min_coverage=wanted.min_coverage, limit=wanted.max_results
    )
    applied = wanted.model_dump(exclude_none=True)
    return AgentList(agents=[of_agent(agent) for agent in found], total=total, filters_applied=applied)


async def search(request: Request[None, AgentSearch, None]) -> AgentList:
    """Agents by text."""
    wanted = request.query
    found, total = await AgentStore(request.services.db).find(text=wanted.q, limit=wanted.max_results)
    return AgentList(
        agents=[of_agent(agent) for agent in found], total=total, filters_applied=wanted.model_dump()
    )


async def update(request: Request[AgentChanges, None, AgentPath]) -> Reply:
    """Change some fields."""
    agents, agent_id = AgentStore(request.services.db), request.params.agent_id
    changes = request.body.model_dump(include=request.body.model_fields_set)
    position = await agents.update(agent_id, changes, request.caller)
    if position is not None:
        request.services.doorbell.ring("annals_events")
    return Reply(of_agent(await agents.get(agent_id)), position=position)


async def delete(request: Request[None, None, AgentPath]) -> Reply:
    """Delete the agent; its open tasks end cancelled."""
    services = request.services
    position, stopped = await AgentStore(services.db).delete(request.params.agent_id, request.caller)
    for task_id in stopped:
        services.doorbell.ring("annals_cancel", task_id)
    services.doorbell.ring("annals_events")
    return Reply(position=position)


async def set_targets(request: Request[TargetsBody, None, AgentPath]) -> Reply:
    """Replace the agent's targets."""
    agents, agent_id = AgentStore(request.services.db), request.params.agent_id
    position = await agents.set_targets(agent_id, request.body.root, request.caller)
    if position is not None:
        request.services.doorbell.ring("annals_events")
    return Reply(Targets(agent_id=agent_id, targets=request.body.root), position=position)


PATH = "/api/v1/agents"
ONE = f"{PATH}/{{agent_id}}"
TAGS = ("agents",)
ROUTES = [
    Route(
        "POST",
        f"{PATH}/from-taxonomy",
        create,
        summary="Create an agent for a part of a taxonomy",
        description="It covers the nodes and all their descendants; its first coverage is measured at once.",
        tags=TAGS,
        scope="write",
        body=AgentDraft,
        response=AgentModel,
        status=201,
        example=EXAMPLE,
    ),
    Route(
        "GET",
        f"{PATH}/search",
        search,
        summary="Search agents by name and scope",
        tags=TAGS,
        query=AgentSearch,
        response=AgentList,
    ),
    Route(
        "GET",
        PATH,
        list_all,
        summary="List agents, newest first",
        tags=TAGS,
        query=AgentFilter,
        response=AgentList,
    ),
    Route(
        "GET",
        ONE,
        show,
        summary="Show an agent",
        tags=TAGS,
        params=AgentPath,
        response=AgentModel,
        errors=(404,),
    ),
    Route(
        "PATCH",
        ONE,
        update,
        summary="Change an agent",
        description="Name, scope description and configurations; an empty body changes nothing.",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        body=AgentChanges,
        body_optional=True,
        response=AgentModel,
        errors=(404,),
        example={"name": "Testing and quality"},
    ),
    Route(
        "DELETE",
        ONE,
        delete,
        summary="Delete an agent",
        description="Its open tasks are cancelled, its rows go; the events stay in the log.",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        status=204,
        errors=(404,),
    ),
    Route(
        "PUT",
        f"{ONE}/targets",
        set_targets,
        summary="Set how many documents nodes need",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        body=TargetsBody,
        response=Targets,
        errors=(404,),
        example={"6ba7b810-9dad-41d1-80b4-00c04fd430c8": 20},
    ),
]
