"""Handlers whose tasks are bundled and run again: each way to run, each way to end, each effect outside."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
from pydantic import BaseModel

from service import Context, Fail, Snooze, SyncContext, task


class Order(BaseModel):
    """What `order` takes."""

    amount: int


@task("all_of_it")
async def all_of_it(ctx: Context[dict[str, Any]]) -> dict[str, Any]:
    """Everything a handler may do without a database of its own."""
    sys.stdout.write("a handler prints\n")
    await ctx.progress(50, "half of it")
    await ctx.save_checkpoint({"done": 1})
    ctx.record("thing.done", {"n": 1}, stream=("thing", "t-1"))
    child = await ctx.enqueue("all_of_it_next", {"of": ctx.params["name"]})
    target = ctx.settings.coverage.default_target
    return {"child": child, "key": ctx.idempotency_key, "target": target, "lease": ctx.lease}


@task("all_of_it_next")
async def all_of_it_next(ctx: Context[Any]) -> None:
    """What it enqueues."""


@task("fail_async", max_attempts=1)
async def fail_async(ctx: Context[dict[str, str]]) -> None:
    """An error of a coroutine, with an address in its message."""
    raise ValueError(f"no {ctx.params['what']} in {object()!r}")


@task("fail_process", run_in="process", max_attempts=1)
def fail_process(ctx: SyncContext[Any]) -> None:
    """An error in a process."""
    ctx.progress(10, "begun")
    raise LookupError(f"attempt {ctx.attempt} of {ctx.task_id}")


@task("resume", max_attempts=2, backoff="none")
def resume(ctx: SyncContext[Any]) -> None:
    """Saves where it is, and fails in each attempt."""
    begun_with = ctx.checkpoint
    ctx.save_checkpoint({"at": 10 * ctx.attempt})
    raise RuntimeError(f"attempt {ctx.attempt} began with {begun_with} after {ctx.failures} failures")


@task("order", max_attempts=3)
async def order(ctx: Context[Order]) -> int:
    """Wants parameters that fit."""
    return ctx.params.amount


@task("for_good", max_attempts=3)
async def for_good(ctx: Context[Any]) -> None:
    """Fails for good."""
    raise Fail("the invoice was deleted", reason="gone")


@task("later", max_attempts=1)
async def later(ctx: Context[Any]) -> int:
    """Asks for later once."""
    if ctx.attempt == 1:
        raise Snooze(seconds=0)
    return ctx.attempt


@task("too_long", max_attempts=1, timeout_seconds=0.3)
async def too_long(ctx: Context[Any]) -> None:
    """Never ends by itself."""
    await ctx.progress(1, "waiting")
    await asyncio.Event().wait()


@task("deaf", max_attempts=1, timeout_seconds=0.3)
def deaf(ctx: SyncContext[Any]) -> None:
    """Never ends at all, where no deadline of its own is given."""
    ctx.progress(1, "waiting")
    threading.Event().wait(600 if ctx.attempt == 1 else 0)


@task("blocks_the_loop", max_attempts=1)
async def blocks_the_loop(ctx: Context[dict[str, str]]) -> str:
    """Ends at once, unless it is told to block."""
    await ctx.progress(1, "blocking")
    await ctx.progress(2, "blocking still")
    while "BLOCK" in os.environ:
        pass
    return "not blocked"


@task("cancelled", timeout_seconds=60)
async def cancelled(ctx: Context[Any]) -> None:
    """Is cancelled there."""
    await ctx.progress(1, "waiting")
    await asyncio.Event().wait()


@task("reach_async", max_attempts=1)
async def reach_async(ctx: Context[dict[str, int]]) -> str:
    """Connects, as a coroutine."""
    _, writer = await asyncio.open_connection("127.0.0.1", ctx.params["port"])
    writer.close()
    return "connected"


def reach(ctx: SyncContext[dict[str, int]]) -> str:
    """Connects, from wherever it runs."""
    socket.create_connection(("127.0.0.1", ctx.params["port"]), timeout=5).close()
    return "connected"


@task("reach_thread", max_attempts=1)
def reach_thread(ctx: SyncContext[dict[str, int]]) -> str:
    """Connects, in a thread."""
    return reach(ctx)


@task("reach_process", run_in="process", max_attempts=1)
def reach_process(ctx: SyncContext[dict[str, int]]) -> str:
    """Connects, in a process."""
    return reach(ctx)


@task("reach_libpq", max_attempts=1)
def reach_libpq(ctx: SyncContext[dict[str, str]]) -> str:
    """Connects in C, where no audit hook hears it."""
    with psycopg.connect(ctx.params["dsn"]) as connection:
        return str((connection.execute("SELECT 1").fetchone() or [0])[0])


@task("reach_asyncpg", max_attempts=1)
async def reach_asyncpg(ctx: Context[dict[str, str]]) -> str:
    """Connects to a database of its own."""
    connection = await asyncpg.connect(ctx.params["dsn"])
    await connection.close()
    return "connected"


@task("use_database", max_attempts=1)
async def use_database(ctx: Context[Any]) -> int:
    """Reads by the context's own pool."""
    return int(await ctx.db.fetchval("SELECT 1"))


@task("write", max_attempts=1)
def write(ctx: SyncContext[dict[str, str]]) -> str:
    """Writes a temporary file, then one elsewhere."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "scratch").write_text("allowed")
    Path(ctx.params["path"]).write_text("written")
    return "written"


@task("start_program", max_attempts=1)
def start_program(ctx: SyncContext[Any]) -> str:
    """Runs another program."""
    return subprocess.run(["echo", "hello"], capture_output=True, text=True, check=True).stdout
