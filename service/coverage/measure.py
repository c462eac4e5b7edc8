"""Measures coverage: reads the scope, counts chunk by chunk, and leaves the rest to `calculation`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from service.coverage.agents import Agent
from service.coverage.calculation import Coverage, ScopeNode, cover
from service.sections import CoverageSettings
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
Progress = Callable[[int, int], Awaitable[None]]


async def measure(
    db: Querying,
    node_ids: Sequence[UUID],
    version: str,
    targets: Mapping[str, int],
    rules: CoverageSettings,
    progress: Progress | None = None,
) -> Coverage:
    """Coverage of the nodes and all their descendants in a taxonomy version, as things are now.

    `progress(done, total)` is awaited after each chunk of nodes; a cancellation is seen there and in every
    statement. Raises DatabaseUnavailable.
    """
    rows = await db.fetch(SQL.scope_nodes, node_ids, version, dict(targets))
    nodes = [ScopeNode(row["node_id"], row["label"], row["target"] or rules.default_target) for row in rows]
    ids = [node.node_id for node in nodes]
    counts: dict[UUID, int] = {}
    for start in range(0, len(ids), rules.nodes_per_chunk):
        chunk = ids[start : start + rules.nodes_per_chunk]
        found = await db.fetch(SQL.count_documents, chunk, rules.confidence_threshold)
        counts |= {row["node_id"]: row["count"] for row in found}
        if progress is not None:
            await progress(start + len(chunk), len(ids))
    totals = await db.fetch(SQL.scope_totals, ids, rules.confidence_threshold)
    return Coverage(
        nodes=cover(nodes, counts),
        total_documents=totals[0]["documents"],
        total_chunks=totals[0]["chunks"],
        version=version,
        measured_at=datetime.now(UTC),
    )


async def measure_agent(
    db: Querying, agent: Agent, rules: CoverageSettings, progress: Progress | None = None
) -> Coverage:
    """Coverage of an agent's scope with its own targets."""
    return await measure(db, agent.taxonomy_node_ids, agent.taxonomy_version, agent.targets, rules, progress)
