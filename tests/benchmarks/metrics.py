"""What a scrape of /metrics costs, with tasks waiting and tasks finished.

    python tests/benchmarks/metrics.py postgresql://user@host/annals_metrics --tasks 1000000

The database is dropped and made anew (--keep measures the one that is there): so many tasks are finished, as
many wait in eight queues of three classes, half of those for a time to come; all of it is counted as the
relay does it. Then scrapes are measured through the API, one after another and 20 at once, in milliseconds;
each question by itself; and scrapes with the depth marks gone, as while no relay runs.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.api import metrics  # noqa: E402
from service.api.server import serving  # noqa: E402
from service.settings import load  # noqa: E402
from service.store.queries import load as queries  # noqa: E402
from tests.benchmarks.travel import fresh  # noqa: E402

BATCH, STRETCH, SCRAPES = 2000, 20_000, 30
QUEUES = [f"queue-{n}" for n in range(8)]
NAMES = [f"type-{n}" for n in range(10)]
TYPES = [{"task_type": name, "code_version": "1"} for name in NAMES]
ENQUEUE = "SELECT count(*) FROM enqueue_tasks($1, ring => false)"
CLAIM = "SELECT task_id, lease FROM claim_tasks('w-1', $1, $2, $3)"
END = (
    "SELECT count(*) FROM end_attempts('w-1', $1, $2, array_fill('completed'::text, $3::integer[]),"
    " array_fill(jsonb_build_object('duration_ms', 12.5), $3), ring => false)"
)
HEAD = "SELECT max(position) FROM events"
Connection = "asyncpg.Connection[asyncpg.Record]"


def batch(rng: random.Random, *, may_wait: bool) -> str:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    tasks = []
    for _ in range(BATCH):
        task = {
            "task_type": rng.choice(NAMES),
            "queue": rng.choice(QUEUES),
            "priority": rng.choice((2, 5, 9)),
        }
        tasks.append(task | ({"run_at": later} if may_wait and rng.random() < 0.5 else {}))
    return json.dumps(tasks)


async def build(db: Connection, tasks: int) -> None:
    rng, began = random.Random(7), time.perf_counter()
    await db.execute("SELECT publish_task_types($1)", json.dumps(TYPES))
    await db.execute("SELECT start_worker('w-1', 'h', 1, $1, $2, 500)", QUEUES, NAMES)
    for number in range(tasks // BATCH):
        await db.fetchval(ENQUEUE, batch(rng, may_wait=False))
        held = await db.fetch(CLAIM, QUEUES, NAMES, BATCH)
        await db.fetchval(END, [row[0] for row in held], [row[1] for row in held], [len(held)])
        if number == 20:
            await db.execute("ANALYZE")  # as autovacuum does
    for _ in range(tasks // BATCH):
        await db.fetchval(ENQUEUE, batch(rng, may_wait=True))
    told(f"filled in {time.perf_counter() - began:.0f} s")
    await db.execute("VACUUM ANALYZE")
    await count(db)


async def count(db: Connection) -> None:
    """What the relay's followers and its depth marks do."""
    head, began = await db.fetchval(HEAD), time.perf_counter()
    for after in range(0, head, STRETCH):
        await db.fetchval("SELECT count_task_events($1, $2)", after, min(after + STRETCH, head))
    told(f"counted {head / (time.perf_counter() - began):,.0f} events/s")
    began = time.perf_counter()
    while await db.fetchval("SELECT extend_depth_marks()") < head - STRETCH // 10:
        pass
    told(f"marked {head / (time.perf_counter() - began):,.0f} events/s")


def told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def timed(work: Callable[[], Awaitable[object]]) -> str:
    spans = []
    for _ in range(SCRAPES):
        began = time.perf_counter()
        await work()
        spans.append((time.perf_counter() - began) * 1000)
    spans.sort()
    return f"median {statistics.median(spans):6.1f}   p95 {spans[int(len(spans) * 0.95) - 1]:6.1f} ms"


async def scrapes(dsn: str) -> None:
    settings = load({"environment": "test", "log.level": "WARNING"})
    async with serving(settings, dsn, ()) as url, aiohttp.ClientSession() as http:

        async def scrape() -> bytes:
            async with http.get(f"{url}/metrics", headers={"X-API-Key": "test-key"}) as response:
                assert response.status == 200
                return await response.read()

        async def together() -> None:
            await asyncio.gather(*(scrape() for _ in range(20)))

        for _ in range(6):
            text = await scrape()  # statements are planned for good after five
        assert b"annals_database_up 1.0" in text
        print(f"one scrape, read anew   {await timed(scrape)}   {len(text):,} bytes")
        metrics.FRESH_SECONDS = 1.0
        print(f"20 scrapes at once      {await timed(together)}")
        metrics.FRESH_SECONDS = -1.0


async def each_question(db: Connection) -> None:
    settled = await db.fetchval("SELECT stable_position()")
    for name, text in sorted(queries("service.store", "queries/status").texts.items()):
        given = {"log": [settled], "depth": [settled], "lanes": [2000], "deliveries": [2000]}.get(name, [])

        async def ask(text: str = text, given: list[int] = given) -> None:
            await db.fetch(text, *given)

        print(f"  {name:<20}{await timed(ask)}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dsn")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="measure the database that is there")
    arguments = parser.parse_args()
    if not arguments.keep:
        await fresh(arguments.dsn)
    db = await asyncpg.connect(arguments.dsn)
    if not arguments.keep:
        await build(db, arguments.tasks)
    metrics.FRESH_SECONDS = -1.0
    print("marks near the end of the log:")
    await scrapes(arguments.dsn)
    await each_question(db)
    await db.execute("CREATE TEMP TABLE kept AS SELECT * FROM depth_marks; DELETE FROM depth_marks")
    print("no depth marks:")
    await scrapes(arguments.dsn)
    await db.execute("INSERT INTO depth_marks SELECT * FROM kept")
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
