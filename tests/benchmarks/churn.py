"""Whether small rounds of work stay as fast as they were: enqueue 100, drain, again and again.

    python tests/benchmarks/churn.py [--seconds 60] [--followers]

Twice, each on a database of its own: as it is, and while a forgotten transaction keeps every row version that
dies (a pinned MVCC horizon). Tasks a second of the first and of the last sixth. With --followers a relay runs
beside it, and reading is timed at the beginning and at the end: a page of the history, now and in the past,
and what a follower reads at once. Two minutes; full: --seconds 600.
"""

import argparse
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.scratch import QUERIES, Scratch  # noqa: E402
from service.store.log import LogReader  # noqa: E402
from service.store.queries import load  # noqa: E402
from service.store.tasks import TaskFilter  # noqa: E402
from service.store.travel import PastStore  # noqa: E402
from tests.benchmarks.town import Town, parser_of, progress, run, town  # noqa: E402

ROUND, PARTS, LOOKS = 100, 6, 20
# What the leading relay and every worker ask each second.
OVERDUE, SUSPECTS = load("service.relay").overdue, load("service.fleet").suspects


@asynccontextmanager
async def pinned(here: Town) -> AsyncIterator[None]:
    """A transaction that sees the past for as long as the block runs."""
    async with here.db.session() as session, session.connection.transaction(isolation="repeatable_read"):
        await session.connection.execute(QUERIES.hold_horizon)
        yield


@asynccontextmanager
async def free(_: Town) -> AsyncIterator[None]:
    """Nothing keeps what is dead."""
    yield


async def churn(here: Town, seconds: float) -> list[float]:
    """Tasks a second in each part of the run."""
    done = [0] * PARTS
    began, total = time.monotonic(), here.completed
    while (passed := time.monotonic() - began) < seconds:
        await here.enqueue(ROUND)
        total += ROUND
        await here.until_completed(total)
        done[min(PARTS - 1, int(passed * PARTS / seconds))] += ROUND
        if total % 2000 == 0:
            progress(f"{passed:.0f} of {seconds:.0f} s, {total:,} completed")
    return [number * PARTS / seconds for number in done]


async def reading(here: Town) -> dict[str, float]:
    """Milliseconds of each question, the median of some."""
    log = LogReader(here.db)
    settled = await log.stable_position()
    middle = max(1, settled // 2)
    # Where those who look each second begin, since nothing runs.
    low_water = settled + 1
    questions = {
        "newest page": lambda: here.tasks.list(limit=50),
        "page of failed tasks": lambda: here.tasks.list(TaskFilter(statuses=["failed"]), limit=50),
        "page of the past": lambda: PastStore(here.db).list(middle, limit=50),
        "a follower's batch": lambda: log.events_after(max(0, settled - 1000), 1000),
        "attempts past their deadline": lambda: here.db.fetch(OVERDUE, low_water),
        "workers that may be lost": lambda: here.db.fetch(SUSPECTS, None, low_water),
    }
    times: dict[str, float] = {}
    for name, ask in questions.items():
        took = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1000)
        times[name] = statistics.median(took)
    return times


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    for name, horizon in (("free", free), ("pinned", pinned)):
        async with town(where) as here, horizon(here):
            await here.worker()
            if given.followers:
                await here.relay()
            await churn(here, min(2.0, given.seconds))
            before = await reading(here) if given.followers else {}
            parts = await churn(here, given.seconds)
            after = await reading(here) if given.followers else {}
        first, last = parts[0], parts[-1]
        print(f"horizon {name}: {first:,.0f} tasks/s in the first sixth, {last:,.0f} in the last,", end=" ")
        print(f"ratio {last / first:.2f}  ({' '.join(f'{rate:,.0f}' for rate in parts)})", flush=True)
        for question, ms in before.items():
            print(f"  {question}: {ms:.1f} ms at the beginning, {after[question]:.1f} ms at the end")


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--followers", action="store_true", help="with a relay, and reads timed")
    run(parser, measure)
