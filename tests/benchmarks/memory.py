"""What the processes of the service weigh: idle, and a worker after very many tasks.

    python tests/benchmarks/memory.py [--tasks 300000]

Memory (RSS) of an API, a worker and a relay process that have nothing to do; then of worker and relay after a
tenth, a third and all of so many tasks. Two minutes; full: --tasks 1000000.
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.scratch import Scratch  # noqa: E402
from tests.benchmarks.town import BATCH, Town, parser_of, progress, run, town  # noqa: E402
from tests.benchmarks.weighing import rss_mb  # noqa: E402

IDLE_SECONDS = 5
BACKLOG = 5000


async def work(here: Town, until: int) -> None:
    """Have so many tasks completed in all, without a long queue."""
    enqueued = here.completed
    while (done := await here.look()) < until:
        here.check()
        if enqueued < until and enqueued - done < BACKLOG:
            await here.enqueue(BATCH)
            enqueued += BATCH
            progress(f"{done:,} of {until:,} completed")
        else:
            await asyncio.sleep(0.005)  # the worker is another process


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    async with town(where) as here:
        processes = {
            "api": (await here.api())[0],
            "worker": await here.worker(),
            "relay": await here.relay(),
        }
        await asyncio.sleep(IDLE_SECONDS)  # what each does when it starts is over by then
        told = ", ".join(f"{name} {rss_mb(process.pid):.0f} MB" for name, process in processes.items())
        print(f"idle: {told}", flush=True)
        for tasks in (given.tasks // 10, given.tasks // 3, given.tasks):
            await work(here, tasks // BATCH * BATCH)
            told = ", ".join(f"{name} {rss_mb(processes[name].pid):.0f} MB" for name in ("worker", "relay"))
            print(f"after {here.completed:,} tasks: {told}", flush=True)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=300_000)
    run(parser, measure)
