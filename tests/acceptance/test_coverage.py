"""AC-1 to AC-8: a coverage refresh from its request to its end, and what history remembers."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.running import PATIENCE_SECONDS, Service, service, stalled

TASK_ID = re.compile(r"agent-coverage-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
async def annals(database: str) -> AsyncIterator[Service]:
    async with service(database) as running:
        yield running


async def test_ac1_background_coverage_refresh(annals: Service) -> None:
    world = annals.world
    agent_id = await world.add_agent(await world.add_nodes(50))

    answer = await world.call("POST", f"/agents/{agent_id}/coverage/refresh?background=true")

    assert answer.status == 202
    assert TASK_ID.fullmatch(answer.body["task_id"])
    assert (answer.body["status"], answer.body["agent_id"]) == ("pending", agent_id)
    row = await annals.row(answer.body["task_id"])
    assert (row["status"], row["agent_id"]) == ("pending", uuid.UUID(agent_id))
    assert await annals.claimable() == 1
    assert await annals.life(answer.body["task_id"]) == ["task.enqueued"]


async def test_ac2_background_task_processing(annals: Service) -> None:
    world = annals.world
    nodes = await world.add_nodes(3)
    await world.add_documents([{nodes[0]: 0.9}] * 8 + [{nodes[1]: 0.9}] * 4 + [{nodes[2]: 0.9}] * 2)
    agent_id = await world.add_agent(nodes)
    task_id = (await world.refresh(agent_id))["task_id"]
    assert (await annals.row(task_id))["status"] == "pending"

    await annals.start_worker()
    task = await world.until_ended(agent_id, task_id)

    row = await annals.row(task_id)
    assert row["status"] == task["status"] == "completed"
    assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    result = json.loads(row["result"])
    assert result["coverage_percent"] == 46.67 and result["total_documents"] == 14
    assert result["node_coverage"] == dict(zip(nodes, (80.0, 40.0, 20.0), strict=True))
    (entry,) = (await world.get(f"/agents/{agent_id}/coverage/history"))["history"]
    assert entry["overall_coverage"] == result["coverage_percent"]
    life = await annals.life(task_id)
    assert [life[0], life[1], life[-1]] == ["task.enqueued", "task.started", "task.completed"]


async def test_ac3_task_status_query(annals: Service) -> None:
    world, psql = annals.world, annals.psql
    agent_id = await world.add_agent()
    first, second = [(await world.refresh(agent_id))["task_id"] for _ in range(2)]

    waiting = await world.get(f"/agents/{agent_id}/coverage/status/{second}")
    assert (waiting["task_id"], waiting["status"]) == (second, "pending")
    assert (waiting["queue_position"], waiting["progress_percentage"]) == (2, 0.0)
    assert waiting["created_at"] is not None and waiting["started_at"] is None

    # A person at psql takes the part of the worker, and stops half way.
    lease = await psql.fetchval(
        "SELECT lease FROM claim_tasks('psql', '{coverage}', '{coverage_refresh}', 1) WHERE task_id = $1",
        first,
    )
    await psql.execute(
        "SELECT progress_tasks('psql', ARRAY[$1], ARRAY[$2::integer], '{50}', '{half}', '{NULL}')",
        first,
        lease,
    )
    running = await world.get(f"/agents/{agent_id}/coverage/status/{first}")
    assert (running["status"], running["progress_percentage"]) == ("running", 50.0)
    assert running["queue_position"] is None and running["started_at"] is not None
    assert (await world.get(f"/agents/{agent_id}/coverage/status/{second}"))["queue_position"] == 1


async def measured(annals: Service, agent_id: str, overall: float, at: datetime, **facts: int) -> None:
    """A refresh that was finished at some time."""
    data = {"measured_at": at.isoformat(), "overall_coverage": overall, "version": "1.0.0"}
    data |= {"total_documents": 100, "total_chunks": 500} | facts
    await annals.psql.execute(
        "SELECT measure_coverage($1, $2, '{}', started_at => $3)", uuid.UUID(agent_id), json.dumps(data), at
    )


async def test_ac4_coverage_history_query(annals: Service) -> None:
    agent_id = await annals.world.add_agent()
    now = datetime.now(UTC)
    for i in range(3):
        counts = {"total_documents": 100 + i * 10, "total_chunks": 500 + i * 50}
        await measured(annals, agent_id, 80.0 + i, now - timedelta(seconds=3 - i), **counts)

    data = await annals.world.get(f"/agents/{agent_id}/coverage/history")

    assert (data["agent_id"], data["total_entries"], len(data["history"])) == (agent_id, 3, 3)
    assert [entry["overall_coverage"] for entry in data["history"]] == [82.0, 81.0, 80.0]
    assert [entry["total_documents"] for entry in data["history"]] == [120, 110, 100]
    for entry in data["history"]:
        assert set(entry) == {"timestamp", "overall_coverage", "total_documents", "total_chunks", "version"}


async def test_ac5_coverage_history_date_filters(annals: Service) -> None:
    agent_id = await annals.world.add_agent()
    now = datetime.now(UTC)
    for i in range(5):
        await measured(annals, agent_id, 80.0 + i, now - timedelta(days=2 * i))
    start_date = (now - timedelta(days=3)).replace(tzinfo=None).isoformat()

    data = await annals.world.get(f"/agents/{agent_id}/coverage/history", start_date=start_date)

    assert data["start_date"] == start_date
    assert [entry["overall_coverage"] for entry in data["history"]] == [80.0, 81.0]
    assert data["total_entries"] == 2
    since = datetime.fromisoformat(start_date).replace(tzinfo=UTC)
    assert all(datetime.fromisoformat(entry["timestamp"]) >= since for entry in data["history"])


async def test_ac6_task_cancellation_of_a_pending_task(annals: Service) -> None:
    world = annals.world
    agent_id = await world.add_agent()
    task_id = (await world.refresh(agent_id))["task_id"]
    other = (await world.refresh(agent_id))["task_id"]
    assert await annals.claimable() == 2

    answer = await world.call("DELETE", f"/tasks/{task_id}")

    assert (answer.status, answer.body) == (204, None)
    row = await annals.row(task_id)
    assert row["status"] == "cancelled" and row["completed_at"] is not None
    assert await annals.claimable() == 1
    # It never runs: a worker that comes now does what stands behind it, and not this.
    await annals.start_worker()
    assert (await world.until_ended(agent_id, other))["status"] == "completed"
    assert await annals.life(task_id) == ["task.enqueued", "task.cancelled"]
    again = await world.call("DELETE", f"/tasks/{other}")
    assert (again.status, again.body["detail"]) == (409, "Cannot cancel task with status: completed")


async def test_ac7_task_cancellation_of_a_running_task(annals: Service) -> None:
    world = annals.world
    agent_id = await world.add_agent()
    await annals.start_worker()
    async with stalled(annals.dsn):
        task_id = (await world.refresh(agent_id))["task_id"]
        await world.until(agent_id, task_id, {"running"})

        answer = await world.call("DELETE", f"/tasks/{task_id}")

        assert answer.status == 204
        assert (await annals.row(task_id))["cancellation_requested"] is True
        assert (await world.until_ended(agent_id, task_id))["status"] == "cancelled"
        # By the log's clock: how often this test looks is not the service's time.
        took = await annals.psql.fetchval(
            "SELECT extract(epoch FROM max(recorded_at) - min(recorded_at)) FROM events"
            " WHERE stream_id = $1 AND type IN ('task.cancellation_requested', 'task.cancelled')",
            task_id,
        )
        assert 0 < took < 2.0
    # The worker lives on, and of the cancelled measurement nothing is left.
    following = (await world.refresh(agent_id))["task_id"]
    assert (await world.until_ended(agent_id, following))["status"] == "completed"
    measurements = await annals.psql.fetch(
        "SELECT data ->> 'task_id' FROM events WHERE type = 'coverage.measured'"
    )
    assert [row[0] for row in measurements] == [following]
    assert await annals.life(task_id) == [
        *("task.enqueued", "task.started", "task.cancellation_requested", "task.cancelled"),
    ]


async def test_ac8_task_timeout(database: str) -> None:
    async with service(database, task_types__coverage_refresh__timeout_seconds="1") as annals:
        world = annals.world
        agent_id = await world.add_agent()
        await annals.start_worker()
        async with stalled(annals.dsn):
            task_id = (await world.refresh(agent_id))["task_id"]
            task = await world.until_ended(agent_id, task_id)
        assert task["status"] == "timeout" and "Task timeout exceeded (1 second)" in task["error"]
        row = await annals.row(task_id)
        assert (row["status"], row["error"]) == ("timeout", task["error"]) and row["completed_at"] is not None
        assert (await world.get(f"/agents/{agent_id}/coverage/history"))["total_entries"] == 0
        assert (await world.post(f"/tasks/{task_id}/retry"))["status"] == "pending"
        assert (await world.until_ended(agent_id, task_id))["status"] == "completed"


async def test_ac8_the_default_deadline_is_five_minutes(annals: Service) -> None:
    task = await annals.world.refresh(await annals.world.add_agent())
    assert task["timeout_seconds"] == 300
    assert await annals.psql.fetchval("SELECT spoken_duration(300)") == "5 minutes"


async def test_a_handler_that_raises_fails_its_task_and_the_worker_lives_on(annals: Service) -> None:
    world = annals.world
    agent_id = await world.add_agent()
    worker = await annals.start_worker()
    await annals.psql.execute("ALTER TABLE document_taxonomy RENAME TO moved_away")
    failed = await world.until_ended(agent_id, (await world.refresh(agent_id))["task_id"])
    assert failed["status"] == "failed" and "document_taxonomy" in failed["error"]
    await annals.psql.execute("ALTER TABLE moved_away RENAME TO document_taxonomy")
    task = await world.until_ended(agent_id, (await world.refresh(agent_id))["task_id"])
    assert task["status"] == "completed" and worker.returncode is None


async def test_sigterm_lets_a_worker_finish_and_exit_0(annals: Service) -> None:
    world = annals.world
    agent_id = await world.add_agent()
    worker = await annals.start_worker()
    async with stalled(annals.dsn):
        task_id = (await world.refresh(agent_id))["task_id"]
        await world.until(agent_id, task_id, {"running"})
        worker.terminate()
    assert await asyncio.wait_for(worker.wait(), PATIENCE_SECONDS) == 0
    assert (await world.until_ended(agent_id, task_id))["status"] == "completed"
    assert await annals.live_workers() == 0


async def test_tasks_are_claimed_high_before_low_and_first_in_first_out(database: str) -> None:
    async with service(database, worker__concurrency="1") as annals:
        world = annals.world
        agent_id = await world.add_agent()
        priorities = (9, 5, 1, 5, 2)
        tasks = [(await world.refresh(agent_id, priority=priority))["task_id"] for priority in priorities]
        await annals.start_worker()
        for task_id in tasks:
            await world.until_ended(agent_id, task_id)
        started = await annals.psql.fetch(
            "SELECT stream_id FROM events WHERE type = 'task.started' ORDER BY position"
        )
        assert [tasks.index(row["stream_id"]) for row in started] == [2, 4, 1, 3, 0]
