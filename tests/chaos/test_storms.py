"""Workers are killed, the server is restarted, cut off, away for long: nothing is lost or doubled.

Each test ends with the same ledger: every accepted task ended exactly once, its effect is there exactly
once, no row is left behind, and an audit finds nothing.
"""

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.chaos.fleet import Client, Fleet, fleet, until_live
from tests.chaos.ledger import Ledger, assert_audit_finds_nothing
from tests.chaos.proxy import Proxy

if TYPE_CHECKING:
    from service.embedded import Server

pytestmark = pytest.mark.timeout(3600)


async def settle(ledger: Ledger, client: Client, dsn: str) -> None:
    """Wait for the end and read the ledger."""
    await ledger.until_ended(len(client.accepted), seconds=60)
    await ledger.assert_each_ended_once(client.accepted)
    await ledger.assert_each_effect_once(client.accepted)
    await ledger.assert_nothing_is_left()
    await asyncio.to_thread(assert_audit_finds_nothing, dsn)


async def stop(workers: Fleet) -> None:
    """End the workers in order; a storm is weather to them, not a surprise."""
    assert set(await asyncio.to_thread(workers.stop)) == {0}
    assert workers.surprises() == []


async def assert_nobody_was_given_up(ledger: Ledger) -> None:
    for kind in ("worker.lost", "task.rescued"):
        assert await ledger.count(kind) == 0, f"there is a {kind}"


async def test_killed_workers_lose_and_double_nothing(
    database: str, ledger: Ledger, tmp_path: Path, intensity: int
) -> None:
    client = Client(database)
    with fleet(database, tmp_path / "workers.log", 3) as workers:
        await until_live(ledger.connection, 3)
        load = asyncio.create_task(client.enqueue(250 * intensity, pause=0.01))
        for _ in range(5 * intensity):
            await asyncio.sleep(random.uniform(0.2, 0.7))  # moments of death, by chance
            workers.kill_one()
        await load
        await settle(ledger, client, database)
        assert await ledger.count("worker.lost") >= 1
        assert await ledger.count("task.rescued") >= 1
        await stop(workers)


async def test_cut_connections_cost_nothing(
    database: str, ledger: Ledger, tmp_path: Path, intensity: int
) -> None:
    client = Client(database)
    with fleet(database, tmp_path / "workers.log", 2) as workers:
        await until_live(ledger.connection, 2)
        load = asyncio.create_task(client.enqueue(200 * intensity, pause=0.01))
        for _ in range(8 * intensity):
            await asyncio.sleep(random.uniform(0.1, 0.4))  # moments of the cuts, by chance
            await ledger.connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
                " AND pid <> pg_backend_pid()"
            )
        await load
        await settle(ledger, client, database)
        await assert_nobody_was_given_up(ledger)
        await stop(workers)


async def test_an_outage_longer_than_the_rescue_time_rescues_nobody(
    database: str, ledger: Ledger, tmp_path: Path, short_path: Path, intensity: int
) -> None:
    client = Client(database)
    async with Proxy(database, short_path).serve() as proxy:
        with fleet(proxy.dsn, tmp_path / "workers.log", 2) as workers:
            await until_live(ledger.connection, 2)
            for _ in range(intensity):
                load = asyncio.create_task(client.enqueue(100, pause=0.01))
                await asyncio.sleep(0.5)  # in the middle of the load
                proxy.cut()
                await asyncio.sleep(4)  # twice the time after which a silent worker is given up
                proxy.mend()
                await load
            await settle(ledger, client, database)
            await assert_nobody_was_given_up(ledger)
            await stop(workers)


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="only a server of our own may be restarted")
async def test_a_restarted_server_costs_nothing(tmp_path: Path, short_path: Path, intensity: int) -> None:
    from service.embedded import attach
    from service.store.migrate import migrate

    with attach(short_path) as server:
        migrate(server.dsn)
        client = Client(server.dsn)
        with fleet(server.dsn, tmp_path / "workers.log", 2) as workers:
            connection = await asyncpg.connect(server.dsn)
            await until_live(connection, 2)
            load = asyncio.create_task(client.enqueue(200 * intensity, pause=0.01))
            for how in (signal.SIGINT, signal.SIGQUIT) * intensity:
                await asyncio.sleep(random.uniform(0.4, 0.9))  # in the middle of the load
                os.kill(await running_server(server), how)
            await load
            ledger = Ledger(await connected(server.dsn))
            await settle(ledger, client, server.dsn)
            await assert_nobody_was_given_up(ledger)
            await stop(workers)
            await ledger.connection.close()
    async with asyncio.timeout(30):
        while (server.data_dir / "postmaster.pid").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # its supervisor stops it: nobody tells us


async def running_server(server: "Server") -> int:
    """The server's process id, as soon as it is up again after the last blow."""
    from service.embedded import EmbeddedError

    async with asyncio.timeout(30):
        while True:
            await (await connected(server.dsn)).close()
            try:
                return server.pid
            except EmbeddedError:
                await asyncio.sleep(0.05)  # it ends, or starts: its supervisor tells nobody when it is done


async def connected(dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection as soon as the server gives one."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await asyncpg.connect(dsn)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)  # the server is starting
