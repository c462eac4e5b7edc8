"""Taxonomies, documents and agents for tests, made over HTTP as a client makes them."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg

KEY = {"X-API-Key": "test-key"}
PREFIX = "/api/v1"
PATIENCE_SECONDS = 30.0
ENDED = {"completed", "failed", "cancelled", "timeout"}


@dataclass
class Answer:
    """A whole response."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class World:
    """The service at `session`'s base URL. Nodes and documents are numbered, so that tests can name them."""

    session: aiohttp.ClientSession
    version: str = "1.0.0"
    nodes: list[str] = field(default_factory=list)

    async def call(self, method: str, path: str, json: Any = None, **options: Any) -> Answer:
        """One request; the body is JSON, text for anything else, None for nothing."""
        async with self.session.request(method, f"{PREFIX}{path}", json=json, **options) as response:
            is_json = "json" in response.content_type
            body = await response.json(content_type=None) if is_json else (await response.text() or None)
            return Answer(response.status, body, response.headers)

    async def get(self, path: str, **params: str | int | float) -> Any:
        """The body of a GET that succeeds."""
        answer = await self.call("GET", path, params=params)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, json: Any = None, status: int = 202, **options: Any) -> Any:
        """The body of a POST that is answered with `status`."""
        answer = await self.call("POST", path, json, **options)
        assert answer.status == status, answer
        return answer.body

    async def add_nodes(self, count: int) -> list[str]:
        """Roots without children; gives the ids of these."""
        first = len(self.nodes)
        added = [
            {
                "node_id": str(uuid.uuid4()),
                "label": f"n{number}",
                "canonical_path": [f"n{number}"],
                "parents": [],
            }
            for number in range(first, first + count)
        ]
        await self.post(f"/taxonomies/{self.version}", {"nodes": added}, 201)
        self.nodes += [str(node["node_id"]) for node in added]
        return self.nodes[first:]

    async def add_documents(
        self, classified: Sequence[Mapping[str, float]], text: str = "some text"
    ) -> list[str]:
        """One document for each {node_id: confidence}; gives their ids."""
        documents = [
            {
                "title": f"document {number}",
                "text": text,
                "taxonomy": [{"node_id": node, "confidence": value} for node, value in nodes.items()],
                "version": "1.0.0",
            }
            for number, nodes in enumerate(classified)
        ]
        ids: list[str] = (await self.post("/documents", {"documents": documents}, 201))["doc_ids"]
        return ids

    async def add_agent(self, nodes: Sequence[str] | None = None, name: str = "Test Agent") -> str:
        """An agent on these nodes, on a node of its own without any."""
        nodes = nodes or await self.add_nodes(1)
        body = {"name": name, "taxonomy_node_ids": list(nodes), "taxonomy_version": self.version}
        agent_id: str = (await self.post("/agents/from-taxonomy", body, 201))["agent_id"]
        return agent_id

    async def refresh(self, agent_id: str, **query: str | int) -> Any:
        """Enqueue a refresh."""
        return await self.post(f"/agents/{agent_id}/coverage/refresh", params={"background": "true", **query})

    async def until_ended(self, agent_id: str, task_id: str) -> Any:
        """The status of a task once it is terminal."""
        return await self.until(agent_id, task_id, ENDED)

    async def until(self, agent_id: str, task_id: str, statuses: set[str]) -> Any:
        """The status of a task once it is one of `statuses`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                task = await self.get(f"/agents/{agent_id}/coverage/status/{task_id}")
                if task["status"] in statuses:
                    return task
                await asyncio.sleep(0.02)  # between two looks: the API has no call that waits


async def head(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Position of the last event."""
    position: int = await connection.fetchval("SELECT coalesce(max(position), 0) FROM events")
    return position
