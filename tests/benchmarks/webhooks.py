"""Figures of webhooks: past an endpoint that hangs, deliveries a second, and how late the receiver knows.

    python tests/benchmarks/webhooks.py DSN [--deliveries 2000]

DSN names an empty database, which is migrated; settings are the defaults. The relay is a process of its own,
the receiver (which answers at once, or never below /hangs) and the worker's part run in this one.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiohttp import web

from service.bench.figures import percentile
from service.settings import load
from service.store.migrate import migrate
from service.store.pool import Database
from service.store.tasks import TaskStore
from tests.receiving import Hit, Receiver, receiving

ROOM = 10_000
RECORDED = """
    SELECT position, extract(epoch FROM recorded_at)::double precision FROM events
    WHERE position = ANY ($1::bigint[])
"""
LEADS = "SELECT count(*) FROM relay_lease WHERE expires_at > clock_timestamp()"


@contextmanager
def relay(dsn: str) -> Iterator[None]:
    environment = os.environ | {"DATABASE_URL": dsn, "ANNALS_LOG__LEVEL": "ERROR"}
    environment["ANNALS_WEBHOOKS__ALLOW_HTTP_LOCALHOST"] = "true"
    process = subprocess.Popen([sys.executable, "-m", "service", "relay"], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def complete(db: Database, urls: Sequence[str]) -> None:
    """So many tasks that complete in one statement, as a worker's batch does."""
    tasks = TaskStore(db)
    await tasks.enqueue(
        [{"task_type": "noop", "webhook_url": url} for url in urls], actor="psql:bench", ring=False
    )
    claimed = (await tasks.claim("w-bench", ["default"], ["noop"], ROOM)).tasks
    ids, leases = [task.task_id for task in claimed], [task.lease for task in claimed]
    assert len(ids) == len(urls)
    outcomes: list[object] = [{"result": {"coverage": 46.67}, "duration_ms": 12}] * len(ids)
    await tasks.end_attempts("w-bench", ids, leases, ["completed"] * len(ids), outcomes)
    await db.fetchval("SELECT ring_doorbell('annals_events')")


class Clock:
    """When each webhook arrived, by the position it tells of."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    async def answer(self, hit: Hit) -> web.Response:
        if hit.path.startswith("/hangs"):
            await asyncio.sleep(3600)  # the sender gives up first
        self.at[hit.told["position"]] = time.time()
        return web.Response()


async def timed(db: Database, receiver: Receiver, paths: Sequence[str]) -> float:
    """Seconds from the completion of tasks until all their webhooks have arrived."""
    seen = len(receiver.hits)
    await complete(db, [receiver.url + path for path in paths])
    began = time.perf_counter()
    while len(receiver.hits) < seen + len(paths):  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # cheaper than a wake-up for each
    return time.perf_counter() - began


async def past_hanging(db: Database, receiver: Receiver, hanging: int) -> float:
    """Seconds until 100 have arrived at a healthy endpoint, completed just after 100 to ones that hang."""
    healthy = f"/healthy/{hanging}"
    await complete(db, [f"{receiver.url}/hangs/{hanging}/{number % hanging}" for number in range(100)])
    await complete(db, [receiver.url + healthy] * 100)
    began = time.perf_counter()
    while len(receiver.to(healthy)) < 100:  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # as above
    return time.perf_counter() - began


async def latencies(db: Database, clock: Clock, receiver: Receiver, number: int) -> list[float]:
    """Milliseconds from the event of a completion to its arrival, one every 20 ms."""
    clock.at.clear()
    seen = len(receiver.hits)
    for _ in range(number):
        await complete(db, [f"{receiver.url}/one"])
        await asyncio.sleep(0.02)  # a quiet service, one completion after the other
    await receiver.arrived(seen + number)
    rows = await db.fetch(RECORDED, list(clock.at))
    return sorted((clock.at[position] - recorded) * 1000 for position, recorded in rows)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--deliveries", type=int, default=2000)
    given = parser.parse_args()
    migrate(given.dsn)
    clock = Clock()
    async with (
        await Database.open(load().database, given.dsn) as db,
        receiving(clock.answer) as receiver,
    ):
        await db.fetchval("SELECT publish_task_types($1)", [{"task_type": "noop", "code_version": "1"}])
        with relay(given.dsn):
            while not await db.fetchval(LEADS):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the relay starts
            late = await latencies(db, clock, receiver, 200)
            median, most = percentile(late, 0.5), percentile(late, 0.95)
            print(f"completed -> received: p50 {median:.1f} ms, p95 {most:.1f} ms")
            for endpoints in (1, 20):
                paths = [f"/quick/{endpoints}/{number % endpoints}" for number in range(given.deliveries)]
                seconds = await timed(db, receiver, paths)
                print(f"{endpoints} endpoint(s): {given.deliveries / seconds:,.0f} deliveries/s")
            for hanging in (1, 50):
                seconds = await past_hanging(db, receiver, hanging)
                print(f"100 to a healthy endpoint while {hanging} hang(s): the last after {seconds:.2f} s")


if __name__ == "__main__":
    asyncio.run(main())
