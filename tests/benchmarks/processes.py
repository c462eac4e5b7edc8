"""What more worker processes bring on this machine: 1 against 4, with a handler of 1 ms and with a no-op.

    python tests/benchmarks/processes.py [--tasks 4000] [--rounds 3] [--workers 4]

In turn: so many tasks of a millisecond of processor time each (ten times as many that do nothing) wait, then
the workers start. From the first start to the last completion; medians. Half a minute; full: --tasks 20000.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.scratch import Scratch  # noqa: E402
from tests.benchmarks import handlers  # noqa: E402
from tests.benchmarks.town import parser_of, progress, run, town  # noqa: E402

NOOPS_PER_BURN = 10


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    for task_type, number in ((handlers.BURN, given.tasks), (handlers.NOOP, given.tasks * NOOPS_PER_BURN)):
        rates: dict[int, list[float]] = {1: [], given.workers: []}
        for turn in range(given.rounds):
            for workers in sorted(rates, reverse=bool(turn % 2)):
                async with town(where) as here:
                    rates[workers].append(await here.drain(number, task_type, workers))
                progress(f"{task_type}, {workers} worker(s): {rates[workers][-1]:,.0f} tasks/s")
        one, many = (statistics.median(rates[workers]) for workers in (1, given.workers))
        print(
            f"{task_type}: 1 worker process {one:,.0f} tasks/s, {given.workers} {many:,.0f} tasks/s,", end=" "
        )
        print(f"ratio {many / one:.2f}", flush=True)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    run(parser, measure)
