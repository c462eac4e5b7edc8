"""The routes of agents and coverage, on the real API without workers."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from service.api.server import serving
from service.coverage.routes import ROUTES
from service.settings import load
from tests.coverage_world import KEY, World, head

Connection = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with serving(load(), database, ROUTES) as url, aiohttp.ClientSession(url, headers=KEY) as session:
        yield World(session)


@pytest.fixture
async def psql(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_only_confident_classifications_count(world: World) -> None:
    (node,) = await world.add_nodes(1)
    await world.add_documents([{node: confidence} for confidence in (0.9, 0.7, 0.6, 0.5)])
    agent = await world.get(f"/agents/{await world.add_agent([node])}")
    assert (agent["total_documents"], agent["coverage_percent"]) == (2, 20.0)
    coverage = await world.get(f"/agents/{agent['agent_id']}/coverage")
    assert coverage["document_counts"] == {node: 2}


async def test_counts_8_4_2_are_46_67_everywhere(world: World, psql: Connection) -> None:
    nodes = await world.add_nodes(3)
    await world.add_documents([{nodes[0]: 0.9}] * 8 + [{nodes[1]: 0.9}] * 4 + [{nodes[2]: 0.9}] * 2)
    agent_id = await world.add_agent(nodes)
    gaps = await world.get(f"/agents/{agent_id}/gaps", threshold=0.5)
    assert [(gap["node_id"], gap["missing_docs"]) for gap in gaps["gaps"]] == [(nodes[2], 8), (nodes[1], 6)]
    assert gaps["gaps"][0]["recommendation"] == "Collect 8 more documents for n2"

    done = await world.call("POST", f"/agents/{agent_id}/coverage/refresh", {"background": False})
    assert done.status == 200 and done.body["status"] == "completed"
    assert done.body["task_id"].startswith("agent-coverage-")
    history = await world.get(f"/agents/{agent_id}/coverage/history")
    stored = await psql.fetchval("SELECT overall_coverage FROM coverage_history")
    assert done.body["result"]["coverage_percent"] == history["history"][0]["overall_coverage"] == 46.67
    assert str(stored) == "46.67"
    assert done.body["result"]["node_coverage"] == {nodes[0]: 80.0, nodes[1]: 40.0, nodes[2]: 20.0}
    types = await psql.fetch("SELECT type FROM events WHERE position > 1 ORDER BY position")
    assert [row["type"] for row in types] == [
        *("task.enqueued", "task.started", "coverage.measured", "task.completed"),
    ]
    assert int(done.headers["X-Position"]) == await head(psql)


async def test_the_scope_has_all_descendants_once_and_documents_once(world: World) -> None:
    top, left, right, shared = (str(uuid.uuid4()) for _ in range(4))
    await world.post(
        "/taxonomies/2.0.0",
        {
            "nodes": [
                {
                    "node_id": shared,
                    "label": "S",
                    "canonical_path": ["T", "L", "S"],
                    "parents": [left, right],
                },
                {"node_id": left, "label": "L", "canonical_path": ["T", "L"], "parents": [top]},
                {"node_id": right, "label": "R", "canonical_path": ["T", "R"], "parents": [top]},
                {"node_id": top, "label": "T", "canonical_path": ["T"], "parents": []},
            ]
        },
        201,
    )
    await world.add_documents([{shared: 0.9, left: 0.8}, {right: 0.9}])
    world.version = "2.0.0"
    coverage = await world.get(f"/agents/{await world.add_agent([top])}/coverage")
    assert coverage["document_counts"] == {top: 0, left: 1, right: 1, shared: 1}
    assert coverage["total_documents"] == 2 and coverage["overall_coverage"] == 7.5
    tree = await world.get("/taxonomies/2.0.0")
    assert [node["label"] for node in tree["roots"][0]["children"]] == ["L", "R"]


async def test_a_taxonomy_is_idempotent_by_node_and_never_changes(world: World) -> None:
    node = {"node_id": str(uuid.uuid4()), "label": "A", "canonical_path": ["A"], "parents": []}
    counts = await world.post("/taxonomies/1.0.0", {"nodes": [node]}, 201)
    assert counts == {"version": "1.0.0", "added": 1, "unchanged": 0, "total_nodes": 1}
    assert (await world.post("/taxonomies/1.0.0", {"nodes": [node]}, 201))["unchanged"] == 1
    changed = await world.call("POST", "/taxonomies/1.0.0", {"nodes": [node | {"label": "B"}]})
    assert changed.status == 409 and node["node_id"] in changed.body["detail"]


async def test_a_cycle_is_refused_by_name(world: World) -> None:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    nodes = [
        {"node_id": ids[i], "label": "ABC"[i], "canonical_path": ["ABC"[i]], "parents": [ids[i - 1]]}
        for i in range(3)
    ]
    refused = await world.call("POST", "/taxonomies/1.0.0", {"nodes": nodes})
    assert refused.status == 422 and all(node in refused.body["detail"] for node in ids)
    assert (await world.call("GET", "/taxonomies/1.0.0")).status == 404


async def test_parents_follow_from_the_path_when_they_are_left_out(world: World) -> None:
    paths = [["A"], ["A", "B"], ["A", "B", "C"]]
    nodes = [{"label": path[-1], "canonical_path": path} for path in paths]
    await world.post("/taxonomies/1.0.0", {"nodes": nodes}, 201)
    (root,) = (await world.get("/taxonomies/1.0.0"))["roots"]
    assert root["children"][0]["children"][0]["label"] == "C"


async def test_a_chain_beyond_the_depth_that_can_be_shown_is_refused(world: World) -> None:
    ids = [str(uuid.uuid4()) for _ in range(101)]
    nodes = [
        {"node_id": node, "label": "x", "canonical_path": ["x"], "parents": ids[i - 1 : i]}
        for i, node in enumerate(ids)
    ]
    refused = await world.call("POST", "/taxonomies/1.0.0", {"nodes": nodes})
    assert refused.status == 422 and "100 levels" in refused.body["detail"]
    await world.post("/taxonomies/1.0.0", {"nodes": nodes[:100]}, 201)
    assert (await world.call("POST", "/taxonomies/1.0.0", {"nodes": nodes[100:]})).status == 422
    assert (await world.get("/taxonomies/1.0.0"))["total_nodes"] == 100


async def test_documents_are_replaced_by_their_id_and_unknown_nodes_are_listed(
    world: World, psql: Connection
) -> None:
    (node,) = await world.add_nodes(1)
    document = {"doc_id": str(uuid.uuid4()), "title": "T", "text": "one. " * 500}
    classified = document | {"taxonomy": [{"node_id": node, "confidence": 0.9}]}
    first = await world.post("/documents", {"documents": [classified]}, 201)
    assert (first["created"], first["chunks"]) == (1, 3)
    assert (await world.post("/documents", {"documents": [classified]}, 201))["unchanged"] == 1
    assert await psql.fetchval("SELECT count(*) FROM document_taxonomy") == 1
    shorter = await world.post("/documents", {"documents": [document | {"text": "one"}]}, 201)
    assert (shorter["updated"], shorter["chunks"]) == (1, 1)
    assert await psql.fetchval("SELECT count(*) FROM document_taxonomy") == 0
    stranger = str(uuid.uuid4())
    refused = await world.call(
        "POST",
        "/documents",
        {"documents": [document | {"taxonomy": [{"node_id": stranger, "confidence": 1}]}]},
    )
    assert refused.status == 422 and stranger in refused.body["detail"]


async def test_an_agent_is_shown_as_it_was_created(world: World) -> None:
    (node,) = await world.add_nodes(1)
    answer = await world.call(
        "POST", "/agents/from-taxonomy", {"name": "A", "taxonomy_node_ids": [node, node]}
    )
    agent = answer.body
    assert answer.status == 201 and answer.headers["X-Position"] == "1"
    assert agent["taxonomy_node_ids"] == [node] and agent["taxonomy_version"] == "1.0.0"
    assert agent["retrieval_config"] == {"top_k": 5, "strategy": "hybrid"} and agent["features_config"] == {}
    assert (agent["level"], agent["current_xp"], agent["coverage_percent"]) == (1, 0, 0.0)
    assert agent["last_coverage_update"] is not None
    assert await world.get(f"/agents/{agent['agent_id']}") == agent
    assert (await world.get(f"/agents/{agent['agent_id']}/coverage/history"))["history"] == []


async def test_unknown_nodes_of_an_agent_are_listed(world: World) -> None:
    (node,) = await world.add_nodes(1)
    strangers = [str(uuid.uuid4()), str(uuid.uuid4())]
    body = {"name": "A", "taxonomy_node_ids": [strangers[0], node, strangers[1]]}
    refused = await world.call("POST", "/agents/from-taxonomy", body)
    assert refused.status == 422
    assert refused.body["detail"] == f"Invalid taxonomy node IDs: {', '.join(strangers)}"


async def test_agents_are_listed_newest_first_and_found_by_text(world: World) -> None:
    nodes = await world.add_nodes(1)
    await world.add_documents([{nodes[0]: 0.9}])
    empty = await world.add_nodes(1)
    for name, scope in (("Web", nodes), ("Testing", nodes), ("테스트", empty)):
        await world.add_agent(scope, name)
    everybody = await world.get("/agents")
    assert [agent["name"] for agent in everybody["agents"]] == ["테스트", "Testing", "Web"]
    assert everybody["filters_applied"] == {"max_results": 50}
    covered = await world.get("/agents", min_coverage=0.5, level=1, max_results=1)
    assert [agent["name"] for agent in covered["agents"]] == ["Testing"] and covered["total"] == 2
    assert [agent["name"] for agent in (await world.get("/agents/search", q="test"))["agents"]] == ["Testing"]
    assert [agent["name"] for agent in (await world.get("/agents/search", q="테스"))["agents"]] == ["테스트"]
    assert (await world.get("/agents/search", q="%"))["total"] == 0


async def test_a_change_appends_what_changed_and_an_empty_one_nothing(world: World, psql: Connection) -> None:
    agent_id = await world.add_agent()
    changed = await world.call(
        "PATCH", f"/agents/{agent_id}", {"name": "B", "retrieval_config": {"top_k": 7}}
    )
    assert changed.status == 200 and changed.body["retrieval_config"] == {"top_k": 7, "strategy": "hybrid"}
    data = json.loads(await psql.fetchval("SELECT data FROM events ORDER BY position DESC LIMIT 1"))
    assert data == {"name": "B", "retrieval_config": {"top_k": 7, "strategy": "hybrid"}}
    before = await head(psql)
    for body in ({}, None, {"name": "B"}):
        assert (await world.call("PATCH", f"/agents/{agent_id}", body)).status == 200
    assert await head(psql) == before
    assert (await world.call("PATCH", f"/agents/{agent_id}", {"level": 5})).status == 422


async def test_targets_of_its_own_change_an_agents_coverage(world: World) -> None:
    nodes = await world.add_nodes(2)
    await world.add_documents([{nodes[0]: 1.0}] * 4)
    agent_id = await world.add_agent(nodes)
    answer = await world.call("PUT", f"/agents/{agent_id}/targets", {nodes[0]: 4, nodes[1]: 4})
    assert answer.status == 200 and answer.body["targets"] == {nodes[0]: 4, nodes[1]: 4}
    assert (await world.get(f"/agents/{agent_id}/coverage"))["overall_coverage"] == 50.0
    await world.call("PUT", f"/agents/{agent_id}/targets", {nodes[0]: 2})
    assert (await world.get(f"/agents/{agent_id}/coverage"))["target_counts"] == {nodes[0]: 2, nodes[1]: 10}
    for bad in ({nodes[0]: 0}, {nodes[0]: -1}, {nodes[0]: 1.5}, {str(uuid.uuid4()): 3}, {"x": 3}):
        assert (await world.call("PUT", f"/agents/{agent_id}/targets", bad)).status == 422


async def test_deleting_an_agent_cancels_its_open_tasks_and_keeps_the_events(
    world: World, psql: Connection
) -> None:
    agent_id = await world.add_agent()
    await world.call("POST", f"/agents/{agent_id}/coverage/refresh", {"background": False})
    waiting, running = (
        (await world.refresh(agent_id))["task_id"],
        (await world.refresh(agent_id, priority=1))["task_id"],
    )
    claimed = await psql.fetch("SELECT task_id FROM claim_tasks('w', '{coverage}', '{coverage_refresh}', 1)")
    assert [row["task_id"] for row in claimed] == [running]
    assert (await world.call("DELETE", f"/agents/{agent_id}")).status == 204
    gone = await world.call("GET", f"/agents/{agent_id}")
    assert gone.status == 404 and gone.body["detail"] == f"Agent not found: {agent_id}"
    for table in ("agents", "background_tasks", "task_attempts", "coverage_history"):
        assert await psql.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    ends = dict(
        await psql.fetch(
            "SELECT DISTINCT ON (stream_id) stream_id, type FROM events WHERE stream_type = 'task' "
            "ORDER BY stream_id, version DESC"
        )
    )
    assert (ends[waiting], ends[running]) == ("task.cancelled", "task.cancelled")
    late = await psql.fetch("SELECT outcome FROM complete_task($1, 2) outcome", running)
    assert [row["outcome"] for row in late] == ["not_found"]


async def test_history_is_filtered_by_inclusive_dates_and_newest_first(
    world: World, psql: Connection
) -> None:
    agent_id = await world.add_agent()
    for day in range(1, 6):
        await measure(psql, agent_id, f"2026-01-0{day}T12:00:00Z", 80 + day)
    history = await world.get(
        f"/agents/{agent_id}/coverage/history", start_date="2026-01-02", end_date="2026-01-04", limit=2
    )
    assert [entry["overall_coverage"] for entry in history["history"]] == [84.0, 83.0]
    assert (history["total_entries"], history["start_date"], history["end_date"]) == (
        3,
        "2026-01-02",
        "2026-01-04",
    )
    exact = await world.get(f"/agents/{agent_id}/coverage/history", end_date="2026-01-01T12:00:00+00:00")
    assert [entry["timestamp"] for entry in exact["history"]] == ["2026-01-01T12:00:00Z"]
    for bad in ({"limit": 1001}, {"limit": 0}, {"start_date": "soon"}):
        assert (await world.call("GET", f"/agents/{agent_id}/coverage/history", params=bad)).status == 422


async def test_history_is_aggregated_by_day_week_and_month(world: World, psql: Connection) -> None:
    agent_id = await world.add_agent()
    for moment, overall in (
        ("2026-01-31T01:00:00Z", 10),
        ("2026-01-31T23:00:00Z", 20),
        ("2026-02-01T00:00:00Z", 40),
    ):
        await measure(psql, agent_id, moment, overall)
    path = f"/agents/{agent_id}/coverage/history/aggregate"
    daily = (await world.get(path))["buckets"]
    assert daily[0] == {
        "start": "2026-01-31T00:00:00Z",
        "min": 10,
        "max": 20,
        "avg": 15,
        "last": 20,
        "count": 2,
    }
    assert [bucket["count"] for bucket in (await world.get(path, interval="weekly"))["buckets"]] == [3]
    monthly = (await world.get(path, interval="monthly"))["buckets"]
    assert [(bucket["start"], bucket["last"]) for bucket in monthly] == [
        ("2026-01-01T00:00:00Z", 20),
        ("2026-02-01T00:00:00Z", 40),
    ]
    assert (await world.call("GET", path, params={"interval": "hourly"})).status == 422


async def measure(psql: Connection, agent_id: str, moment: str, overall: float) -> None:
    facts = {
        "measured_at": moment,
        "overall_coverage": overall,
        "total_documents": 1,
        "total_chunks": 1,
        "version": "1.0.0",
    }
    await psql.execute(
        "SELECT measure_coverage($1, $2, '{}', clock_timestamp(), actor => 'psql:tests')",
        uuid.UUID(agent_id),
        json.dumps(facts),
    )


async def test_a_measurement_that_was_overtaken_is_history_but_not_the_latest(
    world: World, psql: Connection
) -> None:
    agent_id = await world.add_agent()
    await measure(psql, agent_id, "2030-01-02T00:00:00Z", 70)
    await measure(psql, agent_id, "2030-01-01T00:00:00Z", 30)
    assert (await world.get(f"/agents/{agent_id}"))["coverage_percent"] == 70.0
    assert (await world.get(f"/agents/{agent_id}/coverage/history"))["total_entries"] == 2


async def test_many_agents_are_refreshed_together_or_not_at_all(world: World, psql: Connection) -> None:
    nodes = await world.add_nodes(1)
    agents = [await world.add_agent(nodes) for _ in range(3)]
    tasks = (await world.post("/agents/bulk/coverage/refresh", {"agent_ids": [*agents, agents[0]]}))["tasks"]
    assert [task["agent_id"] for task in tasks] == agents
    before = await head(psql)
    stranger = str(uuid.uuid4())
    refused = await world.call("POST", "/agents/bulk/coverage/refresh", {"agent_ids": [agents[0], stranger]})
    assert refused.status == 422 and stranger in refused.body["detail"]
    assert await head(psql) == before


async def test_the_status_of_another_agents_task_is_not_found(world: World) -> None:
    nodes = await world.add_nodes(1)
    one, other = await world.add_agent(nodes), await world.add_agent(nodes)
    task_id = (await world.refresh(one))["task_id"]
    shown = await world.get(f"/agents/{one}/coverage/status/{task_id}")
    assert (shown["queue_position"], shown["progress_percentage"]) == (1, 0.0)
    for path in (f"/agents/{other}/coverage/status/{task_id}", f"/agents/{one}/coverage/status/task-1"):
        refused = await world.call("GET", path)
        assert refused.status == 404 and refused.body["detail"] == f"Task not found: {path.rsplit('/', 1)[1]}"


async def test_a_refresh_takes_its_options_by_query_and_by_body(world: World, psql: Connection) -> None:
    agent_id = await world.add_agent()
    path = f"/agents/{agent_id}/coverage/refresh"
    task = await world.post(
        path, {"priority": 2, "webhook_url": "http://localhost:1/hook"}, params={"priority": 9}
    )
    assert (task["priority"], task["webhook_url"]) == (2, "http://localhost:1/hook")
    later = await world.post(path, {"schedule_at": "2100-01-01T00:00:00"})
    assert later["run_at"] == "2100-01-01T00:00:00Z" and later["status"] == "pending"
    before = await head(psql)
    for bad in (
        *(
            {"webhook_url": url}
            for url in ("http://example.com/", "https://10.0.0.1/", "ftp://localhost/", "nonsense")
        ),
        *(
            {"priority": 0},
            {"priority": 11},
            {"background": "perhaps"},
            {"colour": "red"},
            {"schedule_at": "soon"},
        ),
        {"background": False, "schedule_at": "2100-01-01T00:00:00Z"},
    ):
        assert (await world.call("POST", path, bad)).status == 422, bad
    missing = await world.call("POST", f"/agents/{uuid.uuid4()}/coverage/refresh")
    assert missing.status == 404 and missing.body["detail"].startswith("Agent not found: ")
    assert await head(psql) == before


async def test_repeated_requests_are_answered_as_before_and_written_once(
    world: World, psql: Connection
) -> None:
    (node,) = await world.add_nodes(1)
    body = {"name": "A", "taxonomy_node_ids": [node]}
    first, second = [
        await world.post("/agents/from-taxonomy", body, 201, headers={"Idempotency-Key": "a"})
        for _ in range(2)
    ]
    assert first == second
    agent = f"/agents/{first['agent_id']}"
    for path, given, status in (
        (f"{agent}/coverage/refresh", {"background": False}, 200),
        (f"{agent}/coverage/refresh", {"background": True}, 202),
        (f"{agent}/query", {"query": "text"}, 200),
        ("/documents", {"documents": [{"title": "T", "text": "t"}]}, 201),
        ("/taxonomies/3.0.0", {"nodes": [{"label": "A", "canonical_path": ["A"]}]}, 201),
    ):
        options = {"headers": {"Idempotency-Key": f"k-{path}-{status}"}}
        answer = await world.post(path, given, status, **options)
        before = await head(psql)
        assert await world.post(path, given, status, **options) == answer
        assert await head(psql) == before
    assert await psql.fetchval("SELECT count(*) FROM documents") == 1


async def test_agents_find_passages_in_their_scope_in_korean_and_english(world: World) -> None:
    inside, outside = await world.add_nodes(2)
    await world.add_documents([{inside: 0.9}], "Asynchronous testing of web services with pytest.")
    await world.add_documents([{inside: 0.9}], "문서를 분류하고 데이터베이스에 저장한다.")
    await world.add_documents([{inside: 0.5, outside: 0.9}], "Asynchronous testing, but elsewhere.")
    agent_id = await world.add_agent([inside])
    for question, expected in (
        ("tests", "pytest"),
        ("How are web services tested?", "pytest"),
        ("데이터베이스 문서", "저장한다"),
        ("저장 wholly unrelated words", "저장한다"),
        ('"web services"', "pytest"),
    ):
        answer = await world.post(f"/agents/{agent_id}/query", {"query": question}, 200)
        assert [expected in result["text"] for result in answer["results"]] == [True], question
    for question in ("elsewhere", "services -pytest", '"services web"', "to be", "!!!", "'\"", "a:*&|"):
        answer = await world.post(f"/agents/{agent_id}/query", {"query": question}, 200)
        assert answer["results"] == [], question
    agent = await world.get(f"/agents/{agent_id}")
    assert (agent["total_queries"], agent["successful_queries"]) == (12, 5)
    assert agent["avg_response_time_ms"] > 0 and agent["last_query_at"] is not None
    for bad in (
        {"query": ""},
        {"query": "  "},
        {"query": "x" * 1001},
        {"query": "x", "top_k": 51},
        {"query": "x", "top_k": 0},
    ):
        assert (await world.call("POST", f"/agents/{agent_id}/query", bad)).status == 422


async def test_all_words_come_before_some_and_top_k_bounds(world: World) -> None:
    (node,) = await world.add_nodes(1)
    for text in ("apple apple apple", "apple banana", "banana banana", "cherry"):
        await world.add_documents([{node: 1.0}], text)
    agent_id = await world.add_agent([node])
    answer = await world.post(f"/agents/{agent_id}/query", {"query": "apple banana"}, 200)
    assert answer["results"][0]["text"] == "apple banana" and answer["total_results"] == 3
    assert [result["rank"] for result in answer["results"]] == [1, 2, 3]
    assert (
        len(
            (await world.post(f"/agents/{agent_id}/query", {"query": "apple banana", "top_k": 1}, 200))[
                "results"
            ]
        )
        == 1
    )


async def test_a_query_is_streamed_from_started_to_completed(world: World) -> None:
    (node,) = await world.add_nodes(1)
    await world.add_documents([{node: 1.0}] * 2, "apple pie")
    agent_id = await world.add_agent([node])
    answer = await world.call("POST", f"/agents/{agent_id}/query/stream", {"query": "apple"})
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream"
    messages = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in answer.body.strip().split("\n\n")
    ]
    assert [message["event"] for message in messages] == ["started", "result", "result", "completed"]
    assert json.loads(messages[1]["data"])["text"] == "apple pie"
    assert json.loads(messages[3]["data"])["total_results"] == 2
    assert (await world.get(f"/agents/{agent_id}"))["total_queries"] == 1
    missing = await world.call("POST", f"/agents/{uuid.uuid4()}/query/stream", {"query": "apple"})
    assert missing.status == 404


async def test_switched_off_background_work_leaves_the_synchronous_way(database: str) -> None:
    settings = load({"background_tasks.enabled": False})
    async with serving(settings, database, ROUTES) as url, aiohttp.ClientSession(url, headers=KEY) as session:
        world = World(session)
        agent_id = await world.add_agent()
        for path, body in (
            (f"/agents/{agent_id}/coverage/refresh", None),
            ("/agents/bulk/coverage/refresh", {"agent_ids": [agent_id]}),
        ):
            refused = await world.call("POST", path, body)
            assert refused.status == 503 and "background=false" in refused.body["hint"]
        done = await world.post(f"/agents/{agent_id}/coverage/refresh", {"background": False}, 200)
        assert (await world.get(f"/agents/{agent_id}/coverage/status/{done['task_id']}"))[
            "status"
        ] == "completed"


async def test_an_agent_deleted_while_refreshes_come_leaves_no_task_behind(
    world: World, psql: Connection
) -> None:
    for _ in range(5):
        agent_id = await world.add_agent()
        calls = [world.call("POST", f"/agents/{agent_id}/coverage/refresh") for _ in range(8)]
        calls.insert(4, world.call("DELETE", f"/agents/{agent_id}"))
        answers = await asyncio.gather(*calls)
        assert {answer.status for answer in answers} <= {202, 204, 404}
    assert await psql.fetchval("SELECT count(*) FROM background_tasks") == 0
    open_ends = await psql.fetchval(
        "SELECT count(*) FROM events e WHERE e.type = 'task.enqueued' AND NOT EXISTS "
        "(SELECT FROM events c WHERE c.stream_id = e.stream_id AND c.type = 'task.cancelled')"
    )
    assert open_ends == 0
