"""Whether the service keeps its pace: a producer, workers and a relay that removes what it keeps no longer.

    python tests/benchmarks/endurance.py [--seconds 60] [--rate 0] [--workers 1]

A producer (as fast as the workers are, or --rate tasks a second), worker processes, an API process and a
relay with every follower; tasks and attempts are kept for ten seconds only, so that retention really removes.
Then: completions in each second by the log's own clock, waits from enqueue to start in each tenth of the run,
and what memory the processes took. A minute; full: --seconds 600.
"""

import argparse
import asyncio
import sys
import time
from asyncio.subprocess import Process
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.figures import percentile  # noqa: E402
from service.bench.scratch import Scratch  # noqa: E402
from tests.benchmarks.town import Town, parser_of, progress, run, town  # noqa: E402
from tests.benchmarks.weighing import rss_mb  # noqa: E402

BATCH, BACKLOG = 200, 2000
KEPT_HOURS = 10 / 3600
RETENTION = {
    "retention__interval_seconds": 5,
    "retention__tasks_hours": KEPT_HOURS,
    "retention__attempts_days": KEPT_HOURS / 24,
}
WARM_UP_SECONDS = 3
# The waits of so many tasks, spread evenly over the run, are looked up.
SAMPLE = 50_000
RATES = """
    SELECT floor(extract(epoch FROM recorded_at - $1))::integer AS second, count(*) FROM events
    WHERE type = 'task.completed' AND recorded_at >= $1 AND recorded_at < $1 + make_interval(secs => $2)
    GROUP BY 1
"""
WAITS = """
    SELECT floor(extract(epoch FROM s.recorded_at - $1) * 10 / $2)::integer AS tenth,
           extract(epoch FROM s.recorded_at - q.recorded_at)::float8 * 1000 AS ms
    FROM events s
    CROSS JOIN LATERAL (SELECT e.recorded_at FROM events e
                        WHERE e.stream_type = 'task' AND e.stream_id = s.stream_id AND e.version = 1
                        LIMIT 1) q
    WHERE s.type = 'task.started' AND s.recorded_at >= $1 AND s.recorded_at < $1 + make_interval(secs => $2)
      AND hashint8(s.position) % $3::integer = 0
"""
REMOVED = """
    SELECT coalesce(sum((data ->> 'removed')::bigint), 0)::bigint FROM events WHERE type = 'retention.applied'
"""


async def watch(here: Town) -> None:
    """Keep the count of completions up to date."""
    while True:
        await here.look()
        here.check()
        await asyncio.sleep(0.02)  # the workers are other processes


async def produce(here: Town, seconds: float, rate: float) -> None:
    """Keep the workers busy without building up a queue, or at a steady rate."""
    began, enqueued, shown = time.monotonic(), here.completed, 0
    first = enqueued
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(here))
        while (passed := time.monotonic() - began) < seconds:
            wanted = first + rate * passed if rate else here.completed + BACKLOG
            if enqueued + BATCH <= wanted:
                await here.enqueue(BATCH)
                enqueued += BATCH
            else:
                await asyncio.sleep(0.002)  # the queue is full enough
            if passed - shown >= 1:
                shown = int(passed)
                progress(f"{shown} of {seconds:.0f} s, {here.completed:,} completed")
        watching.cancel()


def told(rates: dict[int, int], seconds: int) -> None:
    """Completions in each second, and how even they are."""
    each = [rates.get(second, 0) for second in range(seconds)]
    tenth = max(1, seconds // 10)
    first, last = sum(each[:tenth]) / tenth, sum(each[-tenth:]) / tenth
    worst = min(range(seconds), key=each.__getitem__)
    print("completions in each second:", " ".join(str(rate) for rate in each))
    print(f"mean {sum(each) / seconds:,.0f}/s, worst second {each[worst]:,} (number {worst + 1}),", end=" ")
    print(f"seconds without any: {each.count(0)},", end=" ")
    print(f"last tenth against the first: {last / max(first, 1):.2f}")


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    async with town(where) as here:
        processes: dict[str, Process] = {
            f"worker {number}": await here.worker(number) for number in range(1, given.workers + 1)
        }
        processes["relay"] = await here.relay(**RETENTION)
        processes["api"] = (await here.api())[0]
        await produce(here, WARM_UP_SECONDS, given.rate)
        memory = {name: rss_mb(process.pid) for name, process in processes.items()}
        began = await here.db.fetchval("SELECT clock_timestamp()")
        await produce(here, given.seconds, given.rate)
        for name, process in processes.items():
            print(f"{name}: {memory[name]:.0f} MB at the start, {rss_mb(process.pid):.0f} MB at the end")
        for process in processes.values():
            await here.stop(process)
        seconds = int(given.seconds)
        # Read from a log of millions of events, once: this may take a while.
        async with here.db.acquire() as connection:
            rates = await connection.fetch(RATES, began, seconds, timeout=600)
            share = max(1, here.completed // SAMPLE)
            waits = await connection.fetch(WAITS, began, seconds, share, timeout=600)
        told({row[0]: row[1] for row in rates}, seconds)
        for tenth in range(10):
            ms = sorted(row[1] for row in waits if row[0] == tenth)
            quantiles = ", ".join(f"p{share} {percentile(ms, share / 100):.0f} ms" for share in (50, 99))
            print(f"wait from enqueue to start, tenth {tenth + 1}: {quantiles if ms else 'nothing started'}")
        print(f"rows that retention removed: {await here.db.fetchval(REMOVED):,}")


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=0, help="tasks a second; 0: as many as the workers do")
    parser.add_argument("--workers", type=int, default=1)
    run(parser, measure)
