"""The API in the process of a test, on a database of its own, and a client that speaks JSON to it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg

from service.api.routing import Route
from service.api.server import serving
from service.settings import load
from service.store.fleet import FleetStore
from service.store.pool import Database

KEY = {"X-API-Key": "test-key"}
TASK_TYPE = {"task_type": "noop", "code_version": "1", "max_attempts": 3, "timeout_seconds": 60}


@dataclass(frozen=True)
class Answer:
    """What came back; `json` is None for an empty body."""

    status: int
    headers: Any
    json: Any


@dataclass(frozen=True)
class Api:
    """A running API: `call` asks it, `sql` looks behind it."""

    url: str
    http: aiohttp.ClientSession
    db: "asyncpg.Connection[asyncpg.Record]"

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        """One request with the test key unless `headers` say otherwise; `body` is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = KEY | {"Content-Type": "application/json"} | (headers or {})
        path = (
            path
            if path.startswith(("/healthz", "/readyz", "/metrics", "/docs", "/openapi"))
            else f"/api/v1{path}"
        )
        async with self.http.request(
            method, self.url + path, data=data, headers=headers, **options
        ) as response:
            text = await response.text()
            return Answer(response.status, response.headers, json.loads(text) if text else None)

    async def sql(self, query: str, *args: Any) -> Any:
        """One value."""
        return await self.db.fetchval(query, *args)

    async def head(self) -> int:
        """The last position of the log."""
        return int(await self.sql("SELECT coalesce(max(position), 0) FROM events"))

    async def enqueue(self, **fields: Any) -> str:
        """A task; gives its id."""
        answer = await self.call("POST", "/tasks", {"task_type": "noop"} | fields)
        assert answer.status == 202, answer
        return str(answer.json["task_id"])


@asynccontextmanager
async def running(
    dsn: str, routes: Sequence[Route] = (), *, behind: str | None = None, **overrides: object
) -> AsyncIterator[Api]:
    """Serve on a free port, with the task type `noop` in the catalogue; `api__port=1` overrides `api.port`.

    `behind` is another DSN of the same database, for `sql`.
    """
    settings = load({path.replace("__", "."): value for path, value in overrides.items()})
    async with await Database.open(settings.database, dsn) as db:
        await FleetStore(db).publish_task_types([TASK_TYPE])
    connection = await asyncpg.connect(behind or dsn)
    try:
        async with serving(settings, dsn, routes) as url, aiohttp.ClientSession() as http:
            yield Api(url, http, connection)
    finally:
        await connection.close()
