"""What the benchmarked worker runs: as little as a handler can."""

import time
from typing import Any

from service import task
from service.worker.registry import DEFAULT

QUEUE = "bench"
NOOP, WAKE = "bench_noop", "bench_wake"
PAD = "x" * 72


@task(NOOP, queue=QUEUE, max_attempts=1)
async def noop(ctx: Any) -> None:
    """Do nothing."""


@task(WAKE, queue=QUEUE, max_attempts=1)
async def wake(ctx: Any) -> dict[str, float]:
    """How long ago it was enqueued, by the machine's monotonic clock, which its processes share."""
    return {"latency_ms": (time.monotonic() - float(ctx.params["enqueued_at"])) * 1000}


def catalogue() -> list[dict[str, Any]]:
    """The entries of these types for the catalogue of task types."""
    return [entry for entry in DEFAULT.catalogue({}) if entry["task_type"] in (NOOP, WAKE)]


def payload(number: int) -> dict[str, Any]:
    """About 100 bytes of JSON."""
    return {"number": number, "enqueued_at": time.monotonic(), "pad": PAD[: 72 - 16]}
