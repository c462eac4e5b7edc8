"""Agents in the database: rows, history, and one thin method for each function that changes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from service.coverage.calculation import Coverage
from service.errors import NotFound
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
Interval = Literal["daily", "weekly", "monthly"]
UNITS: dict[Interval, str] = {"daily": "day", "weekly": "week", "monthly": "month"}


class Author(Protocol):
    """In whose name something is written, and for which request."""

    @property
    def actor(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def trace(self) -> str | None: ...
    @property
    def request(self) -> tuple[str, str, str, str] | None: ...


@dataclass(frozen=True, slots=True)
class Agent:
    """A row of agents. `targets` maps node ids to document counts; `coverage_percent` is 0 to 100."""

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
    retrieval_config: dict[str, Any]
    features_config: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    last_query_at: datetime | None
    targets: dict[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One measurement in an agent's history."""

    timestamp: datetime
    overall_coverage: float
    total_documents: int
    total_chunks: int
    version: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """The measurements of one day, week or month in UTC."""

    start: datetime
    min: float
    max: float
    avg: float
    last: float
    count: int


class Draft(NamedTuple):
    """An agent to create, in the order of create_agent's arguments."""

    name: str
    taxonomy_node_ids: list[UUID]
    taxonomy_version: str
    scope_description: str | None
    retrieval_config: dict[str, Any]
    features_config: dict[str, Any]


Range = tuple[datetime | None, datetime | None]


class AgentStore:
    """Over a pool or one session. Writes raise NotFound and Invalid; every method DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def get(self, agent_id: UUID) -> Agent:
        """One agent. Raises NotFound."""
        row = await self._db.fetchrow(SQL.agent, agent_id)
        if row is None:
            raise NotFound(f"Agent not found: {agent_id}")
        return Agent(*row)

    async def find(
        self,
        *,
        level: int | None = None,
        min_coverage: float | None = None,
        text: str | None = None,
        limit: int = 50,
    ) -> tuple[list[Agent], int]:
        """Agents, newest first, and how many there are in all; `text` is looked for in name and scope."""
        rows = await self._db.fetch_planned(SQL.list_agents, level, min_coverage, text, limit)
        return [Agent(*row[:-1]) for row in rows], rows[0]["total"] if rows else 0

    async def history(self, agent_id: UUID, dates: Range, limit: int) -> tuple[list[Entry], int]:
        """Measurements within inclusive dates, newest first, and how many there are in all."""
        rows = await self._db.fetch_planned(SQL.coverage_history, agent_id, *dates, limit)
        return [Entry(*row[:-1]) for row in rows], rows[0]["total"] if rows else 0

    async def buckets(self, agent_id: UUID, interval: Interval, dates: Range) -> list[Bucket]:
        """Measurements by day, week or month, oldest first; none for an interval without any."""
        rows = await self._db.fetch_planned(SQL.coverage_buckets, agent_id, UNITS[interval], *dates)
        return [Bucket(*row) for row in rows]

    async def create(self, draft: Draft, coverage: Coverage, author: Author) -> tuple[UUID, int]:
        """A new agent with its first coverage: its id, and the position of its event."""
        row = await self._one(SQL.create_agent, *draft, coverage.summary(), *_name(author), author.request)
        return row["agent_id"], row["position"]

    async def update(self, agent_id: UUID, changes: Mapping[str, Any], author: Author) -> int | None:
        """The position of the event; None when nothing changed."""
        position: int | None = await self._db.fetchval(
            SQL.update_agent, agent_id, dict(changes), *_name(author)
        )
        return position

    async def set_targets(self, agent_id: UUID, targets: Mapping[str, int], author: Author) -> int | None:
        """Replace all targets. The position of the event; None when nothing changed."""
        position: int | None = await self._db.fetchval(
            SQL.set_agent_targets, agent_id, dict(targets), *_name(author)
        )
        return position

    async def delete(self, agent_id: UUID, author: Author) -> tuple[int, list[str]]:
        """The position of the event, and the running tasks whose handlers must be told."""
        row = await self._one(SQL.delete_agent, agent_id, *_name(author))
        return row["position"], row["stopped"]

    async def record_query(
        self, agent_id: UUID, latency_ms: float, results: int, answer: Mapping[str, Any], author: Author
    ) -> tuple[dict[str, Any], int]:
        """Count a query. The answer to give (the earlier one of a repeated request), and its position."""
        row = await self._one(
            SQL.record_agent_query,
            agent_id,
            latency_ms,
            results,
            dict(answer),
            *_name(author),
            author.request,
        )
        return row["reply"], row["position"]

    async def record_coverage(
        self, agent_id: UUID, coverage: Coverage, began: datetime, options: Mapping[str, Any], author: Author
    ) -> tuple[str, int]:
        """Append a task that was worked off already: its id, and the position of its last event.

        `options` are those of an enqueue: priority, webhook_url.
        """
        row = await self._one(
            SQL.measure_coverage,
            *(agent_id, coverage.facts(), coverage.result(), began, dict(options)),
            *(*_name(author), author.request),
        )
        return row["task_id"], row["position"]

    async def _one(self, query: str, *args: Any) -> Any:
        """The row of a function that answers with exactly one."""
        return (await self._db.fetch(query, *args))[0]


def _name(author: Author) -> tuple[str, str, str | None]:
    return author.actor, author.correlation_id, author.trace
