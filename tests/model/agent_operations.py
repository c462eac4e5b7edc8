"""What can happen to agents: created, changed, asked, measured in both modes, deleted with their tasks."""

from datetime import timedelta
from typing import Any

from tests.model.world import NODES, World


def create(world: World, a: int, b: int, c: int) -> None:
    if len(world.session.read_model("agents")) < 2:
        nodes = [node["node_id"] for node in NODES[: 1 + a % 2]]
        coverage = measurement(world, b, c) if c % 2 else None
        world.session.call(
            "create_agent", name=f"agent {a}", taxonomy_node_ids=nodes, coverage=coverage, at=world.now
        )


def change(world: World, a: int, b: int, c: int) -> None:
    if agent_id := world.some_agent(a):
        if c % 2:
            world.session.call(
                "set_agent_targets", agent_id=agent_id, targets={NODES[0]["node_id"]: 1 + b}, at=world.now
            )
        else:
            scope = None if b % 3 == 0 else f"scope {b}"
            changes = {"name": f"name {b}", "scope_description": scope, "retrieval_config": {"top_k": 1 + b}}
            world.session.call("update_agent", agent_id=agent_id, changes=changes, at=world.now)


def ask(world: World, a: int, b: int, c: int) -> None:
    if agent_id := world.some_agent(a):
        world.session.call(
            "record_agent_query", agent_id=agent_id, latency_ms=c / 3, results=b % 3, at=world.now
        )


def refresh(world: World, a: int, b: int, c: int) -> None:
    """Enqueue a refresh, or measure in the request itself: four events of two streams in one statement."""
    if not (agent_id := world.some_agent(a)):
        return
    if b % 2:
        task = {"task_type": "coverage_refresh", "params": {"agent_id": agent_id}, "priority": 1 + b}
        rows = world.session.call("enqueue_tasks", tasks=[task], at=world.now)
    else:
        given = {"coverage": measurement(world, b, c), "result": {"coverage_percent": c}}
        began = world.now - timedelta(seconds=1)
        rows = world.session.call(
            "measure_coverage", agent_id=agent_id, started_at=began, at=world.now, **given
        )
    world.tasks.append(rows[0]["task_id"])


def measure(world: World, a: int, b: int, c: int) -> None:
    """Finish a refresh that runs, with what its handler measured; also out of the order of time."""
    running = [
        row
        for row in world.session.read_model("background_tasks").values()
        if row["status"] == "running" and row["task_type"] == "coverage_refresh"
    ]
    for row in running[: 1 + a % 2]:
        task_id, agent_id = row["task_id"], str(row["agent_id"])
        coverage = measurement(world, b, c) | {"agent_id": agent_id, "task_id": task_id}
        record = {
            "task_id": task_id,
            "type": "coverage.measured",
            "stream_type": "agent",
            "stream_id": agent_id,
        }
        one = {"task_ids": [task_id], "leases": [row["lease"]], "outcomes": ["completed"], "details": [{}]}
        world.session.call(
            "end_attempts",
            worker_id=row["worker_id"],
            records=[record | {"data": coverage}],
            at=world.now,
            **one,
        )


def delete(world: World, a: int, _: int, c: int) -> None:
    """Rare, or nothing else would ever be seen of an agent."""
    if c % 4 == 0 and (agent_id := world.some_agent(a)):
        world.session.call("delete_agent", agent_id=agent_id, at=world.now)


def measurement(world: World, b: int, c: int) -> dict[str, Any]:
    """Data of coverage.measured; now and then measured before the one that was recorded last."""
    measured_at = world.now - timedelta(minutes=b if b % 3 == 0 else 0)
    return {
        "measured_at": measured_at.isoformat(),
        "overall_coverage": round(c * 7.77, 2),
        "total_documents": c,
        "total_chunks": 3 * c,
        "version": "1.0.0",
    }
