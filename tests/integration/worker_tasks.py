"""Handlers that must be importable, because they run in other processes."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from service import Context, Fail, SyncContext, task


@task("count_words", run_in="process", max_attempts=1)
def count_words(ctx: SyncContext[dict[str, Any]]) -> dict[str, Any]:
    """Everything a handler in a process may do."""
    ctx.progress(50, "half of them")
    ctx.save_checkpoint({"at": 1})
    ctx.record("words.counted", {"words": 3}, stream=("text", "t-1"))
    child = ctx.enqueue("count_nothing", {})
    return {"words": len(ctx.params["text"].split()), "pid": os.getpid(), "child": child}


@task("count_nothing", run_in="process", max_attempts=1)
def count_nothing(ctx: SyncContext[Any]) -> int:
    """The least."""
    return 0


@task("die", run_in="process", max_attempts=1)
def die(ctx: SyncContext[Any]) -> None:
    """End the process without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


@task("spin", run_in="process", max_attempts=1)
def spin(ctx: SyncContext[Any]) -> None:
    """Never look up."""
    ctx.progress(1, "spinning")
    while True:
        pass


@task("spin_politely", run_in="process", max_attempts=1)
def spin_politely(ctx: SyncContext[Any]) -> None:
    """Compute until told to stop."""
    ctx.progress(1, "spinning")
    while True:
        ctx.check_cancelled()


@task("refuse", run_in="process", max_attempts=3)
def refuse(ctx: SyncContext[Any]) -> None:
    """Fail for good."""
    raise Fail("there is no such text", reason="no_text")


@task("wait_for_file", max_attempts=1)
async def wait_for_file(ctx: Context[dict[str, str]]) -> str:
    """Run until a file appears, in the worker of a first attempt; end at once in a later one."""
    await ctx.progress(1, "waiting")
    path = Path(ctx.params["path"])
    # Another process makes the file: there is nothing to wait on but the file system.
    while ctx.attempt == 1 and not await asyncio.to_thread(path.exists):  # noqa: ASYNC110
        await asyncio.sleep(0.02)  # see above
    return "done"


@task("block_the_loop", max_attempts=2, timeout_seconds=1, backoff={"kind": "none"})
async def block_the_loop(ctx: Context[dict[str, float]]) -> str:
    """Let nothing else happen in the worker of a first attempt; end at once in a later one."""
    if ctx.attempt == 1:
        time.sleep(ctx.params["seconds"])  # noqa: ASYNC251  blocking is what is tested
    return f"attempt {ctx.attempt}"


@task("outlast", max_attempts=2, timeout_seconds=2, backoff={"kind": "none"})
async def outlast(ctx: Context[Any]) -> str:
    """Never end in a first attempt; end at once in a later one."""
    await ctx.progress(1, "begun")
    if ctx.attempt == 1:
        await asyncio.Event().wait()
    return f"attempt {ctx.attempt}"


@task("sleep_in_thread", max_attempts=1)
def sleep_in_thread(ctx: SyncContext[dict[str, float]]) -> str:
    """Occupy a thread for a while, deaf to everything."""
    ctx.progress(1, "asleep")
    time.sleep(ctx.params["seconds"])  # the deafness is what is tested
    return "slept"
