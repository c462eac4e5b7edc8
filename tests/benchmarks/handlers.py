"""What the benchmarked workers run: nothing, or a millisecond of work."""

import time
from typing import Any

from service import task
from service.worker.registry import DEFAULT

QUEUE = "bench"
NOOP, BURN = "benchmark_noop", "benchmark_burn"
BURN_SECONDS = 0.001


@task(NOOP, queue=QUEUE, max_attempts=1)
async def noop(ctx: Any) -> None:
    """Do nothing."""


@task(BURN, queue=QUEUE, max_attempts=1)
async def burn(ctx: Any) -> None:
    """Keep a processor busy for a millisecond of its own time."""
    end = time.thread_time() + BURN_SECONDS
    while time.thread_time() < end:
        pass


def catalogue() -> list[dict[str, Any]]:
    """The entries of these types for the catalogue of task types."""
    return [entry for entry in DEFAULT.catalogue({}) if entry["task_type"] in (NOOP, BURN)]
