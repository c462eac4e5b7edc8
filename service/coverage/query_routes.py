"""Routes that ask an agent: ranked passages of the documents in its scope, at once or as a stream."""

import time
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field, StringConstraints

from service.api.routing import Answer, Model, Reply, Request, Route
from service.coverage.agent_models import AgentPath
from service.coverage.agents import Agent, AgentStore
from service.coverage.content import ContentStore

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class QueryBody(Model):
    """A question. Words are combined as search engines do: "a phrase", -without, or."""

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    top_k: int | None = Field(default=None, ge=1, le=50, description="Default: the agent's own top_k.")


class ResultModel(Answer):
    """A passage; `rank` counts from 1, `chunk` is its place in the document from 0, `score` is 0 to 1."""

    rank: int
    doc_id: UUID
    title: str
    chunk: int
    text: str
    score: float


class QueryAnswer(Answer):
    """Passages, best first."""

    agent_id: UUID
    query: str
    results: list[ResultModel]
    total_results: int
    latency_ms: float


Asked = Request[QueryBody, None, AgentPath]


async def query(request: Asked) -> Reply:
    """Search, count the query, answer."""
    agents = AgentStore(request.services.db)
    answer = await _search(request, await agents.get(request.params.agent_id))
    kept, position = await _record(request, agents, answer)
    return Reply(QueryAnswer.model_validate(kept), position=position)


async def query_stream(request: Asked) -> web.StreamResponse:
    """The same as server-sent events: started, one result each, completed."""
    agents = AgentStore(request.services.db)
    agent = await agents.get(request.params.agent_id)
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request.http)
    await _send(response, "started", Started(agent_id=agent.agent_id, query=request.body.query))
    answer = await _search(request, agent)
    for result in answer.results:
        await _send(response, "result", result)
    _, position = await _record(request, agents, answer)
    ended = Completed(total_results=answer.total_results, latency_ms=answer.latency_ms, position=position)
    await _send(response, "completed", ended)
    return response


class Started(Answer):
    """The first message of a stream."""

    agent_id: UUID
    query: str


class Completed(Answer):
    """The last message of a stream."""

    total_results: int
    latency_ms: float
    position: int


async def _search(request: Asked, agent: Agent) -> QueryAnswer:
    services, asked = request.services, request.body
    began = time.perf_counter()
    limit = asked.top_k or min(max(int(agent.retrieval_config.get("top_k", 5)), 1), 50)
    passages = await ContentStore(services.db).search(
        agent.taxonomy_node_ids,
        agent.taxonomy_version,
        services.settings.coverage.confidence_threshold,
        asked.query,
        limit,
    )
    results = [
        ResultModel(
            rank=rank,
            doc_id=each.doc_id,
            title=each.title,
            chunk=each.ordinal,
            text=each.text,
            score=each.score,
        )
        for rank, each in enumerate(passages, 1)
    ]
    latency_ms = round((time.perf_counter() - began) * 1000, 3)
    return QueryAnswer(
        agent_id=agent.agent_id,
        query=asked.query,
        results=results,
        total_results=len(results),
        latency_ms=latency_ms,
    )


async def _record(request: Asked, agents: AgentStore, answer: QueryAnswer) -> tuple[dict[str, Any], int]:
    kept, position = await agents.record_query(
        answer.agent_id,
        answer.latency_ms,
        answer.total_results,
        answer.model_dump(mode="json"),
        request.caller,
    )
    request.services.doorbell.ring("annals_events")
    return kept, position


async def _send(response: web.StreamResponse, event: str, data: BaseModel) -> None:
    await response.write(f"event: {event}\ndata: {data.model_dump_json()}\n\n".encode())


AGENT = "/api/v1/agents/{agent_id}"
TAGS = ("agents",)
ROUTES = [
    Route(
        "POST",
        f"{AGENT}/query",
        query,
        summary="Ask an agent",
        description="Full text search over the documents in the agent's scope.",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        body=QueryBody,
        response=QueryAnswer,
        errors=(404,),
        example={"query": "asynchronous tests", "top_k": 3},
    ),
    Route(
        "POST",
        f"{AGENT}/query/stream",
        query_stream,
        summary="Ask an agent, answered as a stream (SSE)",
        description="Messages: `started`, a `result` for each passage, `completed`.",
        tags=TAGS,
        scope="write",
        params=AgentPath,
        body=QueryBody,
        errors=(404,),
        stream=True,
        example={"query": "asynchronous tests", "top_k": 3},
    ),
]
