"""The service as its users run it: processes of the command `annals` on a database of their own."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import aiohttp
import asyncpg

from tests.coverage_world import KEY, World

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0
Psql = asyncpg.Connection


class Service:
    """Processes on the database `dsn`; `psql` is a connection beside them, `world` a client of the API."""

    def __init__(self, dsn: str, psql: "Psql[asyncpg.Record]", configuration: dict[str, str]) -> None:
        self.dsn, self.psql = dsn, psql
        self.world: World
        self._environment = _environment(dsn, configuration)
        self._processes: list[Process] = []

    async def start(self, *arguments: str, log: Path | None = None) -> Process:
        """One more process of `annals`, told what `arguments` say; what it logs goes to a file, if named."""
        command = [sys.executable, "-m", "service", *arguments]
        with log.open("wb") if log else nullcontext() as stderr:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=PIPE, stderr=stderr, env=self._environment, cwd=ROOT
            )
        self._processes.append(process)
        return process

    async def start_api(self) -> str:
        """The API, as its base URL, once it answers."""
        process = await self.start("api", "--port", "0")
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await process.stdout.readline()).decode():
                if found := re.search(r"http://[\d.:]+\d", line):
                    return found[0]
        raise AssertionError("the API ended before it listened")

    async def start_worker(self) -> Process:
        """A worker, once it lives: then the catalogue has its task types as they are configured."""
        before = await self.live_workers()
        process = await self.start("worker")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.live_workers() == before:
                assert process.returncode is None, "the worker ended before it lived"
                await asyncio.sleep(0.02)  # between two looks: nothing announces a worker
        return process

    async def start_relay(self, log: Path | None = None) -> Process:
        """A relay, once it leads."""
        process = await self.start("relay", log=log)
        await self._until("SELECT 1 FROM relay_lease WHERE expires_at > clock_timestamp()")
        return process

    async def until_type(self, event_type: str) -> None:
        """Wait until the log has an event of this type."""
        await self._until("SELECT 1 FROM events WHERE type = $1 LIMIT 1", event_type)

    async def _until(self, question: str, *arguments: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.psql.fetchval(question, *arguments) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # another process writes it, and rings only its own kind

    async def live_workers(self) -> int:
        """How many workers say that they live."""
        number: int = await self.psql.fetchval("SELECT count(*) FROM workers WHERE status = 'live'")
        return number

    async def claimable(self, queue: str = "coverage", priority_class: str = "medium") -> int:
        """Size of a queue's class, as the view shows it."""
        found = await self.psql.fetchval(
            "SELECT ready FROM queue_depth WHERE queue = $1 AND class = $2", queue, priority_class
        )
        return found or 0

    async def row(self, task_id: str) -> asyncpg.Record:
        """A task's row in background_tasks."""
        row = await self.psql.fetchrow("SELECT * FROM background_tasks WHERE task_id = $1", task_id)
        assert row is not None, f"{task_id} has no row"
        return row

    async def life(self, task_id: str) -> list[str]:
        """The types of a task's events, in their order."""
        rows = await self.psql.fetch("SELECT type FROM events WHERE stream_id = $1 ORDER BY version", task_id)
        return [row["type"] for row in rows]

    async def end(self) -> None:
        """End every process, by force if it must be."""
        for process in self._processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def service(dsn: str, **configuration: str) -> AsyncIterator[Service]:
    """The API on a database, without workers; settings by name as in `worker__concurrency="1"`."""
    psql = await asyncpg.connect(dsn)
    running = Service(dsn, psql, configuration)
    try:
        url = await running.start_api()
        async with aiohttp.ClientSession(url, headers=KEY) as session:
            running.world = World(session)
            yield running
    finally:
        await running.end()
        await psql.close()


@asynccontextmanager
async def stalled(dsn: str) -> AsyncIterator[None]:
    """While the block runs, nobody can count documents: a measurement takes as long as it may."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE document_taxonomy IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


def _environment(dsn: str, configuration: dict[str, str]) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("ANNALS_")}
    given |= {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}
    return given | {f"ANNALS_{name.upper()}": value for name, value in configuration.items()}
