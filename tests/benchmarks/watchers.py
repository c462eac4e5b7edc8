"""What live watchers cost those who work: a drain with nobody watching, and with 50 streams open, in turn.

    python tests/benchmarks/watchers.py [--watchers 50] [--tasks 10000] [--rounds 3] [--rate 1000]

Watchers are clients of /api/v1/events/stream of one API process, all in one process of their own that only
counts what comes; each must see every event once. Twice: a drain by one worker process as fast as it can,
where API and watchers compete with it for the processors; and tasks that come at --rate a second, where what
is asked is how long they wait. Three minutes; full: --tasks 100000.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.figures import percentile  # noqa: E402
from service.bench.scratch import Scratch  # noqa: E402
from tests.benchmarks.town import Town, parser_of, progress, run, town  # noqa: E402
from tests.benchmarks.watching import Watchers, watchers  # noqa: E402
from tests.benchmarks.weighing import cpu_seconds  # noqa: E402

HEAD = "SELECT coalesce(max(position), 0) FROM events"
COUNT = "SELECT count(*) FROM events WHERE position > $1 AND position <= $2"
WAITS = """
    SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 FROM background_tasks
    WHERE enqueued_position > $1 ORDER BY 1
"""
GROUP, PACED_SECONDS = 10, 10


async def check(here: Town, watching: Watchers | None, before: int) -> None:
    """Wait until everybody has seen everything, and tell how late that was."""
    if watching is None:
        return
    head, began = await here.db.fetchval(HEAD), time.monotonic()
    seen = await watching.seen(before, head)
    wanted = await here.db.fetchval(COUNT, before, head)
    told = (
        f"{sum(number == wanted for number in seen)} of {len(seen)} watchers saw {wanted:,} events once each"
    )
    print(f"  {told}, the last {time.monotonic() - began:.1f} s later", flush=True)


async def paced(here: Town, rate: float) -> list[float]:
    """Milliseconds from enqueue to start of tasks that come evenly, in order."""
    before, began, number = await here.db.fetchval(HEAD), time.monotonic(), 0
    await here.worker()
    while (passed := time.monotonic() - began) < PACED_SECONDS:
        if number < rate * passed:
            await here.enqueue(GROUP)
            number += GROUP
        else:
            await asyncio.sleep(GROUP / rate / 4)  # until the next are to come
    await here.until_completed(number)
    return [row[0] for row in await here.db.fetch(WAITS, before)]


@asynccontextmanager
async def scene(where: Scratch, number: int) -> AsyncIterator[tuple[Town, Watchers | None]]:
    """A town with an API process, watched or not."""
    async with town(where) as here:
        api, url = await here.api()
        with watchers(url, number) if number else nullcontext() as watching:
            used = cpu_seconds(api.pid)
            yield here, watching
            used = cpu_seconds(api.pid) - used
        if number:
            told = await here.db.fetchval(HEAD) * number
            print(f"  the API process took {used * 1e6 / told:.2f} us for an event and watcher", flush=True)


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    rates: dict[int, list[float]] = {0: [], given.watchers: []}
    waits: dict[int, list[float]] = {0: [], given.watchers: []}
    for turn in range(given.rounds):
        for number in sorted(rates, reverse=bool(turn % 2)):
            async with scene(where, number) as (here, watching):
                before = await here.db.fetchval(HEAD)
                rates[number].append(await here.drain(given.tasks))
                progress(f"{number} watchers: {rates[number][-1]:,.0f} tasks/s")
                await check(here, watching, before)
            async with scene(where, number) as (here, watching):
                before = await here.db.fetchval(HEAD)
                waits[number] += await paced(here, given.rate)
                await check(here, watching, before)
    nobody = statistics.median(rates[0])
    for number, found in rates.items():
        rate = statistics.median(found)
        print(f"{number} watchers: drain {rate:,.0f} tasks/s, ratio {rate / nobody:.3f};", end=" ")
        ms = sorted(waits[number])
        told = ", ".join(f"p{share} {percentile(ms, share / 100):.1f} ms" for share in (50, 95, 99))
        print(f"at {given.rate:,.0f} tasks/s a task waits {told}", flush=True)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--watchers", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1000)
    run(parser, measure)
