"""What the events of an agent say, its measured coverage included."""

from datetime import datetime
from typing import Any

from service.model.registry import EventData, event


@event("agent.created")
class AgentCreated(EventData):
    """An agent covers a part of a taxonomy from now on."""

    name: str
    taxonomy_node_ids: list[str]
    taxonomy_version: str
    scope_description: str | None = None
    retrieval_config: dict[str, Any] | None = None
    features_config: dict[str, Any] | None = None


@event("agent.updated")
class AgentUpdated(EventData):
    """Some of its fields changed; what is None did not."""

    name: str | None = None
    scope_description: str | None = None
    retrieval_config: dict[str, Any] | None = None
    features_config: dict[str, Any] | None = None


@event("agent.targets_set")
class AgentTargetsSet(EventData):
    """How many documents it wants, by node id."""

    targets: dict[str, int]


@event("agent.queried")
class AgentQueried(EventData):
    """Somebody searched within its scope."""

    latency_ms: float | None = None
    results: int | None = None


@event("agent.deleted")
class AgentDeleted(EventData):
    """It is gone, with its rows; the events stay."""


@event("coverage.measured")
class CoverageMeasured(EventData):
    """How much of an agent's scope is backed by documents, in percent; counts by node id."""

    agent_id: str
    measured_at: datetime
    overall_coverage: float
    document_counts: dict[str, int]
    target_counts: dict[str, int]
    total_documents: int
    total_chunks: int
    task_id: str | None = None
    version: Any = None
