"""The handler of coverage_refresh: measures one agent's coverage in the background."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.coverage.agents import AgentStore
from service.coverage.measure import measure_agent
from service.worker.context import Context
from service.worker.registry import task


@dataclass(frozen=True, slots=True)
class Refresh:
    """Which agent to measure."""

    agent_id: UUID


@task(
    "coverage_refresh",
    queue="coverage",
    max_attempts=1,
    timeout_seconds=300,
    backoff="none",
    subject=("agent", "agent_id"),
    id_prefix="agent-coverage-",
)
async def refresh_coverage(ctx: Context[Refresh]) -> dict[str, Any]:
    """Measure the coverage of one agent."""
    agent = await AgentStore(ctx.db).get(ctx.params.agent_id)

    async def progress(done: int, total: int) -> None:
        await ctx.progress(100 * done / total, f"{done} of {total} nodes")

    coverage = await measure_agent(ctx.db, agent, ctx.settings.coverage, progress)
    facts = coverage.facts() | {"agent_id": str(agent.agent_id), "task_id": ctx.task_id}
    ctx.record("coverage.measured", facts, stream=("agent", str(agent.agent_id)))
    return coverage.result()
