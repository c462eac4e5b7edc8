"""The handler of coverage_refresh on a real worker: progress chunk by chunk, and its end from outside."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

import service.coverage.handlers  # noqa: F401 - registers coverage_refresh
from service.coverage.agents import AgentStore
from service.coverage.measure import measure_agent
from service.settings import load
from service.store.pool import Database
from service.worker.registry import DEFAULT
from tests.acceptance.running import stalled
from tests.integration.worker_bench import Bench, running

Psql = asyncpg.Connection


@pytest.fixture
async def psql(database: str) -> AsyncIterator[Psql]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def agent(psql: Psql) -> str:
    """Covers 25 nodes, the first with 3 documents."""
    nodes = [
        {"node_id": str(uuid.uuid4()), "label": f"n{i:02}", "canonical_path": [f"n{i:02}"]} for i in range(25)
    ]
    await psql.execute("SELECT import_taxonomy('1.0.0', $1)", json.dumps(nodes))
    topic = [{"node_id": nodes[0]["node_id"], "confidence": 0.9}]
    documents = [{"title": "T", "text": "t", "taxonomy": topic}] * 3
    await psql.execute("SELECT import_documents($1)", json.dumps(documents))
    ids = [node["node_id"] for node in nodes]
    return str(await psql.fetchval("SELECT agent_id FROM create_agent('A', $1)", ids))


@pytest.fixture
async def bench(database: str) -> AsyncIterator[Bench]:
    async with running(database, DEFAULT, worker__queues=["coverage"]) as bench:
        yield bench


async def test_progress_is_told_after_each_chunk_of_nodes(database: str, agent: str) -> None:
    settings = load()
    told = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    async with await Database.open(settings.database, database) as db:
        found = await AgentStore(db).get(uuid.UUID(agent))
        coverage = await measure_agent(db, found, settings.coverage, progress)
    assert told == [(10, 25), (20, 25), (25, 25)]
    assert coverage.overall == 1.2 and coverage.total_documents == 3


async def test_a_cancellation_between_two_chunks_ends_the_measurement(database: str, agent: str) -> None:
    settings = load()
    told = []

    async def progress(done: int, total: int) -> None:
        told.append(done)
        raise asyncio.CancelledError

    async with await Database.open(settings.database, database) as db:
        found = await AgentStore(db).get(uuid.UUID(agent))
        with pytest.raises(asyncio.CancelledError):
            await measure_agent(db, found, settings.coverage, progress)
    assert told == [10]


async def test_a_task_shows_how_far_its_measurement_is(agent: str, bench: Bench) -> None:
    task = await bench.outcome(await bench.enqueue("coverage_refresh", agent_id=agent))
    assert (task.status, task.result["coverage_percent"], task.progress_percentage) == ("completed", 1.2, 100)
    events = await bench.log.stream("task", task.task_id)
    steps = {event.data["step"] for event in events if event.type == "task.progressed"}
    assert steps <= {"10 of 25 nodes", "20 of 25 nodes", "25 of 25 nodes"}


async def test_the_measurement_is_recorded_with_the_completion(psql: Psql, agent: str, bench: Bench) -> None:
    task = await bench.outcome(await bench.enqueue("coverage_refresh", agent_id=agent))
    measured = await psql.fetchrow("SELECT * FROM events WHERE type = 'coverage.measured'")
    completed = await psql.fetchrow("SELECT * FROM events WHERE type = 'task.completed'")
    facts = json.loads(measured["data"])
    assert (measured["stream_id"], facts["agent_id"], facts["task_id"]) == (agent, agent, task.task_id)
    assert measured["causation_id"] == completed["position"]
    assert measured["recorded_at"] == completed["recorded_at"]
    assert len(facts["target_counts"]) == 25 and sum(facts["document_counts"].values()) == 3
    history = await psql.fetchrow("SELECT * FROM coverage_history")
    assert float(history["overall_coverage"]) == task.result["coverage_percent"]
    assert history["history_id"] == measured["position"]


async def test_deleting_an_agent_stops_the_measurement_that_runs(
    database: str, psql: Psql, agent: str, bench: Bench
) -> None:
    async with stalled(database):
        task_id = await bench.enqueue("coverage_refresh", agent_id=agent)
        await bench.until(task_id, "task.started")
        await psql.execute("SELECT delete_agent($1)", uuid.UUID(agent))
        await bench.until(task_id, "task.cancelled")
        # Cancelled, it gives its slot back although nobody could count meanwhile.
        other = str(
            await psql.fetchval(
                "SELECT agent_id FROM create_agent('B', ARRAY(SELECT node_id FROM taxonomy_nodes))"
            )
        )
        following = await bench.enqueue("coverage_refresh", agent_id=other)
    assert (await bench.outcome(following)).status == "completed"
    assert await bench.life(task_id) == ["task.enqueued", "task.started", "task.cancelled"]
    measured = await psql.fetch("SELECT stream_id FROM events WHERE type = 'coverage.measured'")
    assert [row["stream_id"] for row in measured] == [other]
