"""What the tormented workers run. Each task records one event of its own in the transaction of its success.

That event is the effect to be counted: two of them for one task would be work done twice.
"""

import asyncio
import time
from typing import Any

from service import task

QUEUE = "chaos"


@task("chaos_quick", queue=QUEUE, max_attempts=1)
async def quick(ctx: Any) -> dict[str, Any]:
    """Ends at once."""
    return _done(ctx)


@task("chaos_slow", queue=QUEUE, max_attempts=1)
async def slow(ctx: Any) -> dict[str, Any]:
    """Takes a while and tells how far it is."""
    for part in range(5):
        await ctx.progress(part * 20, f"part {part}")
        await asyncio.sleep(ctx.params["seconds"] / 5)  # the work, so that storms meet it under way
    return _done(ctx)


@task("chaos_thread", queue=QUEUE, max_attempts=1)
def thread(ctx: Any) -> dict[str, Any]:
    """Takes a while in a thread."""
    time.sleep(ctx.params["seconds"])  # the work itself
    return _done(ctx)


@task("chaos_flaky", queue=QUEUE, max_attempts=3, backoff={"kind": "fixed", "seconds": 0.1})
async def flaky(ctx: Any) -> dict[str, Any]:
    """Fails the first time, and is retried."""
    if ctx.failures == 0:
        raise RuntimeError("not yet")
    return _done(ctx)


def _done(ctx: Any) -> dict[str, Any]:
    ctx.record("chaos.done", {"attempt": ctx.attempt}, stream=("chaos", ctx.task_id))
    return {"attempt": ctx.attempt}
