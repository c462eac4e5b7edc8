"""`annals up` as a process: starts everything, keeps its workers, ends in order, leaves nothing behind."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import asyncpg
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0


class Up:
    """A running `annals up`."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, pattern: str) -> re.Match[str]:
        """Read standard output up to a line with the pattern."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(f"{pattern!r} is not in what it said: {self.lines}{await self.errors()}")

    async def url(self) -> str:
        """The address of the API, once everything runs."""
        found = await self.until(r"(http://[\d.:]+)")
        await self.until("Ready in")
        return found[1]

    async def errors(self) -> str:
        """What it wrote to standard error until its end."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; gives the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)


@asynccontextmanager
async def up(
    *arguments: str, dsn: str | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Up]:
    given = dict(os.environ) | {"ANNALS_ENV": "test", "PYTHONPATH": str(ROOT)} | dict(environment or {})
    given.pop("DATABASE_URL", None)
    given |= {"DATABASE_URL": dsn} if dsn else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "up", *arguments, stdout=PIPE, stderr=PIPE, env=given, cwd=ROOT
    )
    try:
        yield Up(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def live_workers(connection: "asyncpg.Connection[asyncpg.Record]") -> set[int]:
    rows = await connection.fetch("SELECT pid FROM workers WHERE status = 'live'")
    return {row["pid"] for row in rows}


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.02)  # nobody tells of the end of another's child


@pytest.fixture
async def connection(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the account of the server can reach, also when the tests run as root."""
    with TemporaryDirectory(prefix="annals-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while [*Path(folder).rglob("postmaster.pid")] and time.monotonic() < deadline:
            time.sleep(0.05)  # the server lingers for the next command, then its supervisor stops it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_and_ends_in_order(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]", number: signal.Signals
) -> None:
    async with up("--workers", "2", dsn=database) as running:
        url = await running.url()
        async with aiohttp.ClientSession() as client, client.get(f"{url}/readyz") as response:
            assert response.status == 200
        assert len(await live_workers(connection)) == 2
        assert await running.end(number) == 0
    rows = await connection.fetch("SELECT status FROM workers")
    assert [row["status"] for row in rows] == ["stopped", "stopped"]


async def test_a_relay_leads_meanwhile_and_says_farewell(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with up("--workers", "0", dsn=database) as running:
        await running.until("Ready in")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await connection.fetchval("SELECT term FROM relay_lease"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # another process, starting
        assert await running.end() == 0
    assert await connection.fetchval("SELECT count(*) FROM relays") == 0


async def test_once_ends_by_itself_and_no_workers_means_none(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with up("--workers", "0", "--once", dsn=database) as running:
        await running.until("Ready in")
        assert await asyncio.wait_for(running.process.wait(), PATIENCE_SECONDS) == 0
    assert await connection.fetchval("SELECT count(*) FROM workers") == 0


async def test_a_killed_worker_is_replaced(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with up("--workers", "1", dsn=database) as running:
        await running.url()
        (victim,) = await live_workers(connection)
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await live_workers(connection) - {victim}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the next worker is another process
        assert await running.end() == 0


async def test_a_killed_parent_takes_its_workers_along(
    database: str, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with up("--workers", "1", dsn=database) as running:
        await running.url()
        (worker,) = await live_workers(connection)
        running.process.kill()
        await running.process.wait()
        await until_gone(worker)
    assert await connection.fetchval("SELECT status FROM workers") == "stopped"


async def test_a_taken_port_is_an_error_that_says_what_to_do(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with up("--workers", "0", "--port", str(port), dsn=database) as running:
            assert await asyncio.wait_for(running.process.wait(), PATIENCE_SECONDS) == 2
            said = await running.errors()
    assert f"Port {port}" in said and "taken" in said and "--port" in said
    assert "Traceback" not in said


async def test_a_module_that_is_not_there_ends_everything(database: str) -> None:
    async with up("--import", "no_such_module", dsn=database) as running:
        assert await asyncio.wait_for(running.process.wait(), PATIENCE_SECONDS) == 2
        said = await running.errors()
    assert "no_such_module" in said and "Traceback" not in said


async def test_a_demo_without_a_key_is_refused_before_anything_starts() -> None:
    async with up("--demo", environment={"ANNALS_API__DEVELOPMENT_KEY": "null"}) as running:
        assert await asyncio.wait_for(running.process.wait(), PATIENCE_SECONDS) == 2
        assert "--demo needs an API key" in await running.errors()


async def test_it_brings_its_own_database(home: Path) -> None:
    async with up("--home", str(home), "--workers", "0", "--once") as first:
        await first.until("PostgreSQL .*embedded")
        await first.until(r"Schema .*migrations, up to \d{4}")
        assert await asyncio.wait_for(first.process.wait(), PATIENCE_SECONDS) == 0
    async with up("--home", str(home), "--workers", "0", "--once") as second:
        await second.until("Schema .*up to date")
        assert await asyncio.wait_for(second.process.wait(), PATIENCE_SECONDS) == 0
