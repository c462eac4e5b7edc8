"""Agents as the API takes and shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, JsonValue

from service.api.routing import Answer, Model
from service.coverage.agents import Agent

EXAMPLE = {
    "name": "Testing",
    "taxonomy_node_ids": ["6ba7b810-9dad-41d1-80b4-00c04fd430c8"],
    "taxonomy_version": "1.0.0",
    "scope_description": "Testing and quality of software",
}


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null")
    return value


Name = Annotated[str, Field(min_length=1, max_length=255)]
Config = dict[str, JsonValue]


class AgentPath(Model):
    """One agent."""

    agent_id: UUID


class RetrievalConfig(Model):
    """How the agent's queries retrieve."""

    top_k: int = Field(default=5, ge=1, le=50)
    strategy: str = Field(default="hybrid", min_length=1, max_length=50)


class AgentDraft(Model):
    """An agent to create for a part of a taxonomy."""

    name: Name
    taxonomy_node_ids: list[UUID] = Field(min_length=1, max_length=10_000)
    taxonomy_version: str = Field(default="1.0.0", min_length=1, max_length=100)
    scope_description: str | None = Field(default=None, max_length=500)
    retrieval_config: RetrievalConfig = RetrievalConfig()
    features_config: Config = Field(default={})


class AgentChanges(Model):
    """What of an agent may change; what is left out stays."""

    name: Annotated[Name | None, AfterValidator(_not_null)] = None
    scope_description: str | None = Field(default=None, max_length=500)
    retrieval_config: Annotated[RetrievalConfig | None, AfterValidator(_not_null)] = None
    features_config: Annotated[Config | None, AfterValidator(_not_null)] = None


class Targets(Answer):
    """How many documents nodes need, by node id; the others need the default."""

    agent_id: UUID
    targets: dict[str, int]


class AgentFilter(Model):
    """Which agents are wanted."""

    level: int | None = Field(default=None, ge=1, le=5)
    min_coverage: float | None = Field(default=None, ge=0, le=100)
    max_results: int = Field(default=50, ge=1, le=100)


class AgentSearch(Model):
    """Text to look for in name and scope."""

    q: str = Field(min_length=1, max_length=500)
    max_results: int = Field(default=50, ge=1, le=100)


class AgentModel(Answer):
    """An agent with its latest coverage."""

    agent_id: UUID
    name: str
    taxonomy_node_ids: list[UUID]
    taxonomy_version: str
    scope_description: str | None
    total_documents: int
    total_chunks: int
    coverage_percent: float
    last_coverage_update: datetime | None
    level: int
    current_xp: int
    total_queries: int
    successful_queries: int
    avg_faithfulness: float | None
    avg_response_time_ms: float | None
    retrieval_config: dict[str, JsonValue]
    features_config: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    last_query_at: datetime | None


class AgentList(Answer):
    """Agents, newest first; `total` counts all that match."""

    agents: list[AgentModel]
    total: int
    filters_applied: dict[str, JsonValue]


def of_agent(agent: Agent) -> AgentModel:
    """A row as it is shown."""
    values = asdict(agent)
    del values["targets"]
    return AgentModel.model_construct(**values)
