"""What the long-running benchmarks share: a fresh database, the service's own processes on it, and a look.

The server is the one that DATABASE_URL names (its user may make databases), else an embedded one below
--home, durable as in production. Every database is dropped at the end, also after Ctrl-C. A script hands
`run` its parser and its measurement, which takes a `town` for each database that it wants.
"""

import argparse
import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from service import lifecycle
from service.bench.scratch import QUERIES, Scratch, scratch
from service.embedded import attach
from service.errors import AnnalsError
from service.lifecycle import before
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.fleet import FleetStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.tasks import TaskStore
from tests.benchmarks import handlers

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
CONCURRENCY = 500
BATCH = 1000
LOOK_SECONDS = 0.005
PAD = "x" * 80
# Slots of a worker whose handlers keep a processor busy: more would only be claimed sooner.
BURNING = 20
PAUSE, RESUME = "SELECT pause_queue($1)", "SELECT resume_queue($1)"
# Until the last of so many: workers may go on with what waits behind them.
SPAN = """
    SELECT extract(epoch FROM max(c.recorded_at) - (
        SELECT min(s.recorded_at) FROM events s WHERE s.position > $1 AND s.type = 'task.started'))
    FROM (SELECT e.recorded_at FROM events e
          WHERE e.position > $1 AND e.type = 'task.completed' ORDER BY e.position LIMIT $2) c
"""
LIVE = {
    "worker": "SELECT count(*) FROM workers WHERE status = 'live'",
    "relay": "SELECT count(*) FROM relay_lease WHERE expires_at > clock_timestamp()",
}


Measurement = Callable[[Scratch, argparse.Namespace], Awaitable[None]]


class Town:
    """One database and the processes that work on it. `completed` counts incrementally: see `look`."""

    def __init__(self, dsn: str, db: Database, doorbell: Doorbell, streets: AsyncExitStack) -> None:
        self.dsn, self.db, self.tasks = dsn, db, TaskStore(db)
        self._log, self._doorbell, self._streets = LogReader(db), doorbell, streets
        self.completed = 0
        self._position = 0
        self._running: list[Process] = []

    async def start(
        self, command: str, *words: str, stdout: int | None = None, **settings: object
    ) -> Process:
        """`annals COMMAND`, with settings as `worker__concurrency=500`; it ends when this process does."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.tether", command, *words),
            stdin=PIPE,
            stdout=stdout,
            env=_environment(self.dsn, settings),
            cwd=ROOT,
            start_new_session=True,
        )
        self._running.append(process)
        self._streets.push_async_callback(self.stop, process)
        return process

    async def worker(self, number: int = 1, concurrency: int = CONCURRENCY, **settings: object) -> Process:
        """A worker process that is ready; the `number`th of those that live."""
        process = await self.start(
            "worker",
            worker__imports=handlers.__name__,
            worker__queues=handlers.QUEUE,
            worker__concurrency=concurrency,
            **settings,
        )
        await self.until(LIVE["worker"], number)
        return process

    async def relay(self, **settings: object) -> Process:
        """A relay that leads."""
        process = await self.start("relay", **settings)
        await self.until(LIVE["relay"], 1)
        return process

    async def api(self) -> tuple[Process, str]:
        """An API process that serves, and its URL; it asks for no key."""
        process = await self.start("api", "--port", "0", stdout=PIPE, api__auth_required="false")
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        return process, line.split()[1].rstrip(",")

    async def stop(self, process: Process) -> None:
        """End it in order."""
        if process in self._running:
            self._running.remove(process)
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def until(self, statement: str, at_least: int) -> None:
        """Wait for what another process writes."""
        while await self.db.fetchval(statement) < at_least:
            self.check()
            await asyncio.sleep(0.02)  # it is another process, starting

    def check(self) -> None:
        """Raises AnnalsError when a process has died."""
        for process in self._running:
            if process.returncode is not None:
                raise AnnalsError("A process of the benchmark ended early.", hint="It said why above.")

    async def enqueue(self, number: int, task_type: str = handlers.NOOP, **more: Any) -> None:
        """So many tasks with 100 bytes of parameters, a thousand in a statement at most, and the doorbell."""
        for start in range(0, number, BATCH):
            size = min(BATCH, number - start)
            wanted = {"task_type": task_type, "params": {"number": start, "pad": PAD}} | more
            await self.tasks.enqueue([wanted] * size, actor="bench")
            self._doorbell.ring("annals_tasks", handlers.QUEUE)

    async def look(self) -> int:
        """Count what was completed since the last look; gives the new total."""
        settled = await self._log.stable_position()
        self.completed += await self.db.fetchval(QUERIES.completed, self._position, settled)
        self._position = settled
        return self.completed

    async def until_completed(self, number: int) -> float:
        """Wait for so many completions in all; gives the monotonic time at which they were seen."""
        while await self.look() < number:
            self.check()
            await asyncio.sleep(LOOK_SECONDS)  # the worker is another process
        return time.monotonic()

    async def drain(self, number: int, task_type: str = handlers.NOOP, workers: int = 1) -> float:
        """Tasks a second of workers that are let at so many, which are enqueued before."""
        await self.db.fetchval(PAUSE, handlers.QUEUE)
        await self.enqueue(number, task_type)
        concurrency = CONCURRENCY if task_type == handlers.NOOP else BURNING
        return await self.drain_waiting(number, workers, concurrency)

    async def drain_waiting(self, number: int, workers: int = 1, concurrency: int = CONCURRENCY) -> float:
        """Tasks a second of workers that are let at what waits, until so many are completed.

        From the first start to the last completion: the workers have begun, the queue was paused until then.
        """
        await self.look()
        position, total = self._position, self.completed + number
        await self.db.fetchval(PAUSE, handlers.QUEUE)
        processes = [await self.worker(n, concurrency) for n in range(1, workers + 1)]
        await self.db.fetchval(RESUME, handlers.QUEUE)
        await self.until_completed(total)
        span = await self.db.fetchval(SPAN, position, number)
        for process in processes:
            await self.stop(process)
        return number / float(span)

    def skip_to(self, position: int) -> None:
        """Count completions after this position only."""
        self._position = position


@asynccontextmanager
async def town(where: Scratch) -> AsyncIterator[Town]:
    """A fresh database with connections to it; in the end its processes are ended, and it is dropped."""
    settings = load({"log.level": "WARNING"})
    with where.copy() as dsn:
        async with (
            await Database.open(settings.database, dsn) as db,
            Doorbell(db, settings.wakeup) as doorbell,
            AsyncExitStack() as streets,
        ):
            await FleetStore(db).publish_task_types(handlers.catalogue())
            yield Town(dsn, db, doorbell, streets)


def run(parser: argparse.ArgumentParser, measure: Measurement) -> None:
    """Parse the arguments and measure on the server at hand; ends the process with its exit code."""
    home = ROOT / "var" / "benchmarks"
    parser.add_argument("--home", type=Path, default=home, help="of the embedded server")
    given = parser.parse_args()

    async def main(shutdown: asyncio.Event) -> int | None:
        done = await before(shutdown, _true(measure(where, given)))
        return None if done else INTERRUPTED

    with _server(given.home) as dsn, scratch(dsn) as where:
        code = lifecycle.run(main)
    sys.exit(code)


async def _true(work: Awaitable[None]) -> bool:
    await work
    return True


def parser_of(document: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's docstring."""
    return argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)


def progress(text: str) -> None:
    """One line on standard error, which the next one replaces on a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:<78}", end=end, file=sys.stderr, flush=True)


@contextmanager
def _server(home: Path) -> Iterator[str]:
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with attach(home, progress=progress) as server:
        yield server.dsn


def _environment(dsn: str, settings: Mapping[str, object]) -> dict[str, str]:
    given = {f"ANNALS_{name.upper()}": str(value) for name, value in settings.items()}
    return dict(os.environ) | {"DATABASE_URL": dsn, "ANNALS_LOG__LEVEL": "WARNING"} | given
