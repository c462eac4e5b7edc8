"""Routes that read coverage: now, its gaps, its history."""

from dataclasses import asdict
from uuid import UUID

from service.api.routing import Request, Route
from service.api.services import Services
from service.coverage.agent_models import AgentPath
from service.coverage.agents import AgentStore
from service.coverage.calculation import Coverage, find_gaps
from service.coverage.coverage_models import (
    BucketList,
    BucketModel,
    BucketQuery,
    CoverageModel,
    GapList,
    GapModel,
    GapQuery,
    HistoryEntry,
    HistoryList,
    HistoryQuery,
)
from service.coverage.measure import measure_agent


async def _measure(services: Services, agent_id: UUID) -> Coverage:
    agent = await AgentStore(services.db).get(agent_id)
    return await measure_agent(services.db, agent, services.settings.coverage)


async def show(request: Request[None, None, AgentPath]) -> CoverageModel:
    """Measure now; nothing is written."""
    coverage = await _measure(request.services, request.params.agent_id)
    facts = coverage.facts() | {"agent_id": request.params.agent_id, "node_coverage": coverage.node_coverage}
    return CoverageModel.model_validate(facts)


async def show_gaps(request: Request[None, GapQuery, AgentPath]) -> GapList:
    """Measure now, and show what is missing."""
    coverage = await _measure(request.services, request.params.agent_id)
    gaps = find_gaps(coverage.nodes, request.query.threshold)
    return GapList(
        agent_id=request.params.agent_id,
        gaps=[GapModel(**asdict(gap)) for gap in gaps],
        threshold=request.query.threshold,
        detected_at=coverage.measured_at,
    )


async def show_history(request: Request[None, HistoryQuery, AgentPath]) -> HistoryList:
    """What refreshes measured."""
    agents, wanted = AgentStore(request.services.db), request.query
    agent = await agents.get(request.params.agent_id)
    entries, total = await agents.history(agent.agent_id, wanted.as_range(), wanted.limit)
    return HistoryList(
        agent_id=agent.agent_id,
        history=[HistoryEntry(**asdict(entry)) for entry in entries],
        start_date=wanted.start_date,
        end_date=wanted.end_date,
        total_entries=total,
    )


async def show_aggregate(request: Request[None, BucketQuery, AgentPath]) -> BucketList:
    """What refreshes measured, by day, week or month."""
    agents, wanted = AgentStore(request.services.db), request.query
    agent = await agents.get(request.params.agent_id)
    buckets = await agents.buckets(agent.agent_id, wanted.interval, wanted.as_range())
    return BucketList(
        agent_id=agent.agent_id,
        interval=wanted.interval,
        buckets=[BucketModel(**asdict(bucket)) for bucket in buckets],
    )


AGENT = "/api/v1/agents/{agent_id}"
TAGS = ("coverage",)
ROUTES = [
    Route(
        "GET",
        f"{AGENT}/coverage",
        show,
        summary="Measure an agent's coverage now",
        description="Changes nothing: a refresh is what history remembers.",
        tags=TAGS,
        params=AgentPath,
        response=CoverageModel,
        errors=(404,),
    ),
    Route(
        "GET",
        f"{AGENT}/gaps",
        show_gaps,
        summary="Show the nodes that lack documents",
        tags=TAGS,
        params=AgentPath,
        query=GapQuery,
        response=GapList,
        errors=(404,),
    ),
    Route(
        "GET",
        f"{AGENT}/coverage/history",
        show_history,
        summary="Show an agent's measured coverage, newest first",
        tags=TAGS,
        params=AgentPath,
        query=HistoryQuery,
        response=HistoryList,
        errors=(404,),
    ),
    Route(
        "GET",
        f"{AGENT}/coverage/history/aggregate",
        show_aggregate,
        summary="Show an agent's measured coverage by day, week or month",
        tags=TAGS,
        params=AgentPath,
        query=BucketQuery,
        response=BucketList,
        errors=(404,),
    ),
]
