"""AC-12 and AC-13: a large agent, and many requests at once."""

import asyncio
import sys
import time

import pytest

from tests.acceptance.running import service


def tell(capsys: pytest.CaptureFixture[str], figure: str) -> None:
    """Show a figure to whoever runs the tests; only the bound is asserted."""
    with capsys.disabled():
        sys.stdout.write(f"\n{figure}\n")


async def test_ac12_performance_50_node_coverage(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with service(database) as annals:
        world = annals.world
        nodes = await world.add_nodes(50)
        await world.add_documents([{nodes[i % 50]: 0.9} for i in range(1000)])
        agent_id = await world.add_agent(nodes, "Large Agent")
        targets = {node: 25 if number % 2 else 40 for number, node in enumerate(nodes)}
        assert (await world.call("PUT", f"/agents/{agent_id}/targets", targets)).status == 200
        await annals.start_worker()

        began = time.perf_counter()
        task_id = (await world.refresh(agent_id))["task_id"]
        task = await world.until_ended(agent_id, task_id)
        elapsed = time.perf_counter() - began

        tell(capsys, f"AC-12: 50 nodes, 1000 documents in {elapsed * 1000:.0f} ms")
        assert elapsed < 300
        assert task["status"] == "completed"
        # 20 documents a node: 20 of 25 in one half, 20 of 40 in the other; 1000 of 1625 in all.
        assert task["result"]["coverage_percent"] == 61.54
        assert sorted(set(task["result"]["node_coverage"].values())) == [50.0, 80.0]
        assert task["result"]["total_documents"] == 1000


async def test_ac13_performance_concurrent_requests(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with service(database) as annals:
        world = annals.world
        nodes = await world.add_nodes(1)
        agents = await asyncio.gather(*(world.add_agent(nodes, f"Agent-{i}") for i in range(100)))

        began = time.perf_counter()
        path = "/agents/{}/coverage/refresh?background=true"
        answers = await asyncio.gather(*(world.call("POST", path.format(agent)) for agent in agents))
        elapsed = time.perf_counter() - began

        tell(capsys, f"AC-13: 100 concurrent requests in {elapsed * 1000:.0f} ms")
        assert elapsed < 10.0
        assert {answer.status for answer in answers} == {202}
        assert {answer.body["agent_id"] for answer in answers} == set(agents)
        assert await annals.claimable() == 100
        pending = "SELECT count(*) FROM background_tasks WHERE status = 'pending'"
        assert await annals.psql.fetchval(pending) == 100
