"""Whether tables that are full slow down those who work: drained and enqueued tasks a second, in turn.

    python tests/benchmarks/large.py [--pending 100000] [--finished 200000] [--tasks 20000] [--rounds 3]

Three databases: an empty one, one in which so many tasks of low priority wait behind, and one in which so
many are finished. In turn, so many tasks are enqueued (a thousand in a statement) and drained by one worker
process. Medians, and their ratio to the empty database. Two minutes;
full: --pending 1000000 --finished 10000000 (some 30 minutes, and 20 GB).
"""

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.scratch import Scratch  # noqa: E402
from service.store.tasks import TaskStore  # noqa: E402
from service.store.wire import Json  # noqa: E402
from tests.benchmarks import handlers  # noqa: E402
from tests.benchmarks.town import BATCH, PAD, Town, parser_of, progress, run, town  # noqa: E402

FILLER, FILLERS = "filler", 2
LOWEST = 10
DONE = Json('{"result":null,"duration_ms":1.5}')


async def fill(here: Town, pending: int, finished: int) -> None:
    """So many tasks that wait, and so many that are over, written in batches by two connections."""
    for start in range(0, pending, 10 * BATCH):
        await here.enqueue(min(10 * BATCH, pending - start), priority=LOWEST)
        progress(f"{start:,} of {pending:,} wait")
    numbers = iter(range(0, finished, BATCH))

    async def finish() -> None:
        tasks = TaskStore(here.db)
        for number in numbers:
            wanted = {"task_type": handlers.NOOP, "queue": FILLER, "params": {"number": number, "pad": PAD}}
            await tasks.enqueue([wanted] * BATCH, actor="bench")
            claimed = (await tasks.claim(FILLER, [FILLER], [handlers.NOOP], BATCH)).tasks
            ids, leases = [task.task_id for task in claimed], [task.lease for task in claimed]
            await tasks.end_attempts(FILLER, ids, leases, ["completed"] * len(ids), [DONE] * len(ids))
            if number % (10 * BATCH) == 0:
                progress(f"{number:,} of {finished:,} are finished")

    await asyncio.gather(*(finish() for _ in range(FILLERS)))
    async with here.db.acquire() as connection:
        await connection.execute("VACUUM (ANALYZE)", timeout=3600)
    here.skip_to(await here.db.fetchval("SELECT max(position) FROM events") or 0)


async def one_round(here: Town, tasks: int) -> tuple[float, float]:
    """Tasks enqueued and drained a second."""
    began = time.perf_counter()
    await here.enqueue(tasks)
    enqueued = tasks / (time.perf_counter() - began)
    return enqueued, await here.drain_waiting(tasks)


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    sizes = {
        "empty": (0, 0),
        f"{given.pending:,} pending": (given.pending, 0),
        f"{given.finished:,} finished": (0, given.finished),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in sizes}
    async with AsyncExitStack() as stack:
        towns: dict[str, Town] = {}
        for name, (pending, finished) in sizes.items():
            if name != "empty":
                towns[name] = await stack.enter_async_context(town(where))
                await fill(towns[name], pending, finished)
        for turn in range(given.rounds):
            for name in list(sizes)[:: -1 if turn % 2 else 1]:
                if name in towns:
                    rates[name].append(await one_round(towns[name], given.tasks))
                else:
                    async with town(where) as fresh:
                        rates[name].append(await one_round(fresh, given.tasks))
                enqueued, drained = rates[name][-1]
                progress(f"{name}: enqueued {enqueued:,.0f}/s, drained {drained:,.0f}/s")
    empty = [statistics.median(rate[which] for rate in rates["empty"]) for which in (0, 1)]
    for name, found in rates.items():
        enqueued, drained = (statistics.median(rate[which] for rate in found) for which in (0, 1))
        print(f"{name}: enqueue {enqueued:,.0f}/s (ratio {enqueued / empty[0]:.2f}),", end=" ")
        print(f"drain {drained:,.0f}/s (ratio {drained / empty[1]:.2f})", flush=True)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--pending", type=int, default=100_000)
    parser.add_argument("--finished", type=int, default=200_000)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    run(parser, measure)
