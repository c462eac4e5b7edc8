"""Wake-ups: heard across lost connections, rung at most once per interval, stopped at any moment."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from service.sections import WakeupSettings
from service.settings import load
from service.store.pool import Database
from service.store.wakeups import EVERYTHING, Doorbell, Wakeup, Wakeups

SETTINGS = WakeupSettings(ring_interval_ms=5, self_test_seconds=30)
SLOW_BELL = WakeupSettings(ring_interval_ms=1000, self_test_seconds=30)
# Rings once, and then at its end.
SILENT_BELL = WakeupSettings(ring_interval_ms=60_000, self_test_seconds=30)
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
PATIENCE = 20


@pytest.fixture
async def other(database: str):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(database: str):
    async with await Database.open(load().database, database) as opened:
        yield opened


async def heard(wakeup: Wakeup) -> set[str]:
    assert await wakeup.wait(PATIENCE)
    wakeup.clear()
    return wakeup.payloads()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """For what tells nobody that it changed."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # how often to ask


async def has_reconnected(wakeups: Wakeups, times: int = 1) -> None:
    async def enough() -> bool:
        return wakeups.reconnects >= times

    await until(enough)


async def notify(connection: asyncpg.Connection, channel: str, payload: str = "") -> None:
    await connection.execute("SELECT pg_notify($1, $2)", channel, payload)


async def test_a_subscriber_begins_with_a_look_at_everything(database: str) -> None:
    async with Wakeups(database, SETTINGS) as wakeups:
        assert await heard(wakeups.subscribe("annals_tasks")) == {EVERYTHING}


async def test_a_notify_wakes_the_subscribers_of_its_channel_alone(database: str, other) -> None:
    async with Wakeups(database, SETTINGS) as wakeups:
        one, same, another = (wakeups.subscribe(name) for name in ("annals_a", "annals_a", "annals_b"))
        for wakeup in (one, same, another):
            await heard(wakeup)
        await notify(other, "annals_a", "default")
        assert await heard(one) == await heard(same) == {"default"}
        assert not another.is_set()
        wakeups.unsubscribe(same)
        await notify(other, "annals_a", "again")
        assert await heard(one) == {"again"}
        assert not same.is_set()


async def test_rings_that_nobody_asked_for_yet_are_one_wakeup_with_all_payloads(database: str, other) -> None:
    async with Wakeups(database, SETTINGS) as wakeups:
        wakeup, last = wakeups.subscribe("annals_a"), wakeups.subscribe("annals_last")
        await heard(wakeup)
        await heard(last)
        for queue in ("a", "b", "a"):
            await notify(other, "annals_a", queue)
        await notify(other, "annals_last")
        await heard(last)
        assert await heard(wakeup) == {"a", "b"}
        assert wakeup.payloads() == set()


async def test_a_wait_ends_when_its_time_is_over() -> None:
    assert not await Wakeup("annals_a").wait(0.001)


async def test_after_a_cut_connection_everything_is_looked_at_and_heard_again(database: str, other) -> None:
    async with Wakeups(database, SETTINGS) as wakeups:
        wakeup = wakeups.subscribe("annals_a")
        for _ in range(2):
            await heard(wakeup)
            await other.execute(CUT)
            assert await heard(wakeup) == {EVERYTHING}
            await notify(other, "annals_a", "x")
            assert await heard(wakeup) == {"x"}
            wakeup.set()
        assert wakeups.reconnects == 2


class Deaf(Wakeups):
    """Behind a transaction pooler, or half open: the connection works and hears nothing."""

    self_test_patience = 0.1

    def _heard(self, *_: object) -> None:
        pass


async def test_a_connection_that_hears_nothing_is_found_out_and_replaced(database: str, caplog) -> None:
    async with Deaf(database, SETTINGS) as wakeups:
        await has_reconnected(wakeups, times=2)
        assert not wakeups.connected.is_set()
    assert "does not hear its own NOTIFY" in caplog.text and "listen_url" in caplog.text


async def test_the_self_test_goes_on_while_nothing_rings(database: str) -> None:
    proofs = asyncio.Event()

    class Counting(Wakeups):
        async def _prove(self, connection: asyncpg.Connection) -> None:
            await super()._prove(connection)
            if self.connected.is_set():
                proofs.set()

    async with Counting(database, SETTINGS.model_copy(update={"self_test_seconds": 0.05})) as wakeups:
        await asyncio.wait_for(proofs.wait(), PATIENCE)
        assert wakeups.reconnects == 0


async def test_a_server_that_is_away_is_waited_for(server, database: str) -> None:
    name = f"annals_late_{database.rsplit('_', 1)[1].split('?')[0]}"
    async with Wakeups(server.dsn(name), SETTINGS) as wakeups:
        wakeup = wakeups.subscribe("annals_a")
        assert not await wakeup.wait(0.3)
        server.execute("CREATE DATABASE {}", name)
        try:
            assert await heard(wakeup) == {EVERYTHING}
        finally:
            await wakeups.stop()
            server.execute("DROP DATABASE {} WITH (FORCE)", name)


async def test_stopping_before_the_start_and_twice_is_harmless(database: str) -> None:
    wakeups = Wakeups(database, SETTINGS)
    await wakeups.stop()
    wakeups.start()
    wakeups.start()
    await asyncio.wait_for(wakeups.connected.wait(), PATIENCE)
    await wakeups.stop()
    await wakeups.stop()
    assert not wakeups.connected.is_set()


async def test_stopping_while_it_connects_leaves_no_connection(database: str, other) -> None:
    for turns in range(6):
        wakeups = Wakeups(database, SETTINGS)
        wakeups.start()
        for _ in range(turns * 3):
            await asyncio.sleep(0)  # a turn of the loop each: stop at another moment of the connect
        await wakeups.stop()

    async def nobody_listens() -> bool:
        return not await other.fetch(LISTENERS)  # a backend ends a moment after its connection

    await until(nobody_listens)


async def test_stopping_while_it_reconnects_ends_at_once(server) -> None:
    wakeups = Wakeups(server.dsn("annals_no_such_database"), SETTINGS)
    wakeups.start()
    await has_reconnected(wakeups)
    async with asyncio.timeout(1):
        await wakeups.stop()


async def test_a_bell_rings_at_once_and_then_at_the_end_of_its_interval(
    pool: Database, database: str
) -> None:
    clock = asyncio.get_running_loop().time
    async with Wakeups(database, SETTINGS) as wakeups, Doorbell(pool, SLOW_BELL) as doorbell:
        wakeup = wakeups.subscribe("annals_a")
        await heard(wakeup)
        doorbell.ring("annals_warm")
        began = clock()
        doorbell.ring("annals_a", "q")
        assert await heard(wakeup) == {"q"}
        leading = clock() - began
        for _ in range(100):
            doorbell.ring("annals_a", "q")
        assert await heard(wakeup) == {"q"}
        trailing = clock() - began
        assert leading < 0.9 <= trailing
        assert not await wakeup.wait(0.4)


async def test_one_busy_bell_does_not_delay_another(pool: Database, database: str) -> None:
    async with Wakeups(database, SETTINGS) as wakeups, Doorbell(pool, SILENT_BELL) as doorbell:
        busy, quiet = wakeups.subscribe("annals_a"), wakeups.subscribe("annals_b")
        await heard(busy)
        await heard(quiet)
        doorbell.ring("annals_a")
        await heard(busy)
        doorbell.ring("annals_a")
        doorbell.ring("annals_b", "now")
        assert await heard(quiet) == {"now"} and not busy.is_set()


async def test_a_ring_survives_the_loss_of_the_doorbells_connection(
    pool: Database, database: str, other
) -> None:
    async with Wakeups(database, SETTINGS) as wakeups, Doorbell(pool, SETTINGS) as doorbell:
        wakeup = wakeups.subscribe("annals_a")
        await heard(wakeup)
        doorbell.ring("annals_a", "before")
        assert await heard(wakeup) == {"before"}
        await other.execute(CUT)
        assert await heard(wakeup) == {EVERYTHING}
        doorbell.ring("annals_a", "after")
        assert await heard(wakeup) == {"after"}


async def test_what_waits_is_rung_before_the_stop(pool: Database, database: str) -> None:
    async with Wakeups(database, SETTINGS) as wakeups:
        wakeup = wakeups.subscribe("annals_a")
        await heard(wakeup)
        async with Doorbell(pool, SILENT_BELL) as doorbell:
            doorbell.ring("annals_a", "first")
            await heard(wakeup)
            doorbell.ring("annals_a", "last")
        assert await heard(wakeup) == {"last"}
        await doorbell.stop()


async def test_a_doorbell_that_never_started_stops(pool: Database) -> None:
    doorbell = Doorbell(pool, SETTINGS)
    doorbell.ring("annals_a")
    await doorbell.stop()


async def test_bells_that_fell_silent_are_forgotten(pool: Database) -> None:
    async with Doorbell(pool, SETTINGS) as doorbell:
        for number in range(2500):
            doorbell.ring("annals_cancel", f"task-{number}")
        await doorbell.stop()
        doorbell.start()
        doorbell.ring("annals_cancel", "one more")
    assert len(doorbell._rung_at) < 2000


async def test_an_unexpected_failure_is_logged(caplog) -> None:
    from service.store.background import Background

    async def fail() -> None:
        raise ValueError("not this")

    background = Background("a thing", fail)
    with caplog.at_level(logging.ERROR):
        background.start()
        await background.stop(grace_seconds=1)
    assert "a thing failed" in caplog.text and "not this" in caplog.text
