"""What one task whose handler does nothing costs a worker's Python, from its claim to its confirmed end.

    python tests/benchmarks/python_cost.py [--tasks 50000] [--rounds 3] [--home DIR]

Printed is the processor time of the worker process a task, which other load on the machine changes least: the
median of the rounds, the lowest and the highest. The tasks wait before the worker is let at them.
"""

import argparse
import sys
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.bench.scratch import Scratch  # noqa: E402
from tests.benchmarks import handlers  # noqa: E402
from tests.benchmarks.town import PAUSE, RESUME, Town, parser_of, progress, run, town  # noqa: E402
from tests.benchmarks.weighing import cpu_seconds  # noqa: E402


async def drain(here: Town, tasks: int) -> float:
    """Microseconds of the worker for each of so many tasks."""
    await here.db.fetchval(PAUSE, handlers.QUEUE)
    await here.enqueue(tasks)
    worker = await here.worker(log__level="WARNING")
    began = cpu_seconds(worker.pid)
    await here.db.fetchval(RESUME, handlers.QUEUE)
    await here.until_completed(here.completed + tasks)
    spent = cpu_seconds(worker.pid) - began
    await here.stop(worker)
    return spent * 1e6 / tasks


async def measure(where: Scratch, given: argparse.Namespace) -> None:
    spent = []
    for number in range(1, given.rounds + 1):
        progress(f"round {number} of {given.rounds}")
        async with town(where) as here:
            spent.append(await drain(here, given.tasks))
    print(f"{median(spent):.1f} microseconds a task ({min(spent):.1f}-{max(spent):.1f})")


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    run(parser, measure)
