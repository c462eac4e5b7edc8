"""One process of a peer, driven by JSON lines: `PEER_DSN=... python .../peers/agent.py NAME`.

A line in is {"command": name, ...arguments}; its answer is one line, {"answer": {...}}. At the start comes
{"hello": {settings, batch}}, and a worker that was asked to tells {"progress": jobs done} all the time. The
process ends at the end of its input, so never later than the one that drives it. What a peer's library raises
ends the process, with its traceback on stderr.
"""

import asyncio
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # The peer's own packages come first, and this directory, whose modules bear their names, not at all.
    sys.path[:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from service.bench.peers.peer import Payload, Peer, payload
from service.bench.peers.tally import Tally

STOP_SECONDS = 15.0
PROGRESS_SECONDS = 0.025
# How long a producer waits when the backlog is full: the worker that empties it is another process.
PAUSE_SECONDS = 0.002
# The share of its time that a churn takes beforehand.
WARM_UP = 10

Message = dict[str, Any]


class Agent:
    """Carries out the commands on one peer."""

    def __init__(self, peer: Peer, emit: Callable[[Message], None]) -> None:
        self.peer, self.emit = peer, emit
        self.tally = Tally()
        self.progress = 0
        self._running: list[asyncio.Task[None]] = []
        own = (
            self.bulk,
            self.single,
            self.pace,
            self.produce,
            self.start,
            self.reach,
            self.stats,
            self.churn,
        )
        self._commands: dict[str, Callable[..., Awaitable[Message | None]]] = {
            command.__name__: command for command in (peer.setup, peer.open, *own)
        }

    async def bulk(self, number: int) -> Message:
        """Enqueue so many by the bulk call."""
        size = self.peer.batch
        batches = [payloads(start, min(size, number - start)) for start in range(0, number, size)]
        began = time.monotonic()
        for batch in batches:
            await self.peer.enqueue_batch(batch)
        return {"elapsed": time.monotonic() - began}

    async def single(self, number: int, clients: int) -> Message:
        """Enqueue so many one by one, from so many clients at once."""
        waiting = iter(range(number))

        async def client() -> None:
            for index in waiting:
                await self.peer.enqueue_one(payload(index))

        began = time.monotonic()
        await asyncio.gather(*(client() for _ in range(clients)))
        return {"elapsed": time.monotonic() - began}

    async def pace(self, number: int, pause: float) -> None:
        """Enqueue one job every `pause` seconds."""
        due = time.monotonic()
        for index in range(number):
            due += pause
            await self.peer.enqueue_one(payload(index))
            # The pause is the workload: a worker with nothing to do.
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def produce(self, seconds: float, size: int, backlog: int) -> Message:
        """Enqueue `size` at once for so long, and wait while the worker is more than `backlog` behind."""
        number, start, began = 0, self.progress, time.monotonic()
        while time.monotonic() - began < seconds:
            if number - (self.progress - start) > backlog:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            await self.peer.enqueue_batch(payloads(number, size))
            number += size
        return {"number": number, "elapsed": time.monotonic() - began}

    async def start(self, settle: float = 0.0, progress: bool = False, latencies: bool = False) -> None:
        """Start the worker and give it so long; tell its progress, keep every latency, when asked to."""
        self.tally.keep_latencies = latencies
        await self.peer.start_worker(self.tally.on_job)
        # Queues do not tell alike when they are ready, so all get the same time.
        await asyncio.sleep(settle)
        if progress:
            self._keep(self._tell_progress())

    async def reach(self, number: int) -> Message:
        """Wait until so many jobs ran; tells when the first of them did."""
        await self.tally.reach(number)
        return {"first": self.tally.first}

    async def stats(self) -> Message:
        """How many jobs ran, and the kept latencies: from just before the enqueue, in seconds."""
        return {"count": self.tally.count, "latencies": self.tally.latencies}

    async def churn(self, seconds: float, size: int) -> Message:
        """Enqueue `size` and wait until they ran, for so long; tells when each turn ended, in seconds."""
        began = time.monotonic()
        # Before the clock starts: connections, plans and compiled code are made then.
        while time.monotonic() - began < seconds / WARM_UP:
            await self._turn(size)
        ends: list[float] = []
        began = time.monotonic()
        while not ends or ends[-1] < seconds:
            await self._turn(size)
            ends.append(time.monotonic() - began)
        return {"ends": ends}

    async def _turn(self, size: int) -> None:
        goal = self.tally.count + size
        await self.peer.enqueue_batch(payloads(self.tally.count, size))
        await self.tally.reach(goal)

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Answer until the input ends; raises what a command raises."""
        self.emit({"hello": {"settings": self.peer.settings, "batch": self.peer.batch}})
        async with asyncio.TaskGroup() as self._group:
            while line := await lines.readline():
                self._obey(json.loads(line))
            for task in self._running:
                task.cancel()

    def _obey(self, message: Message) -> None:
        command = message.pop("command")
        if command == "progress":
            self.progress = message["jobs"]
        else:
            self._keep(self._answer(command, message))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        self._running.append(self._group.create_task(work))

    async def _answer(self, command: str, arguments: Message) -> None:
        self.emit({"answer": await self._commands[command](**arguments) or {}})

    async def _tell_progress(self) -> None:
        while True:
            self.emit({"progress": self.tally.count})
            await asyncio.sleep(PROGRESS_SECONDS)


def payloads(start: int, number: int) -> list[Payload]:
    """So many payloads, numbered from `start`."""
    return [payload(start + index) for index in range(number)]


async def main(name: str, dsn: str) -> None:
    """Drive the adapter of this name until the input ends, then end its worker and connections."""
    out = os.dup(1)
    # What a library prints must not get between the answers.
    os.dup2(2, 1)
    peer: Peer = importlib.import_module(f"service.bench.peers.{name}").Adapter(dsn)
    lines = asyncio.StreamReader(limit=1 << 22)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Agent(peer, lambda message: _write(out, message)).run(lines)
    async with asyncio.timeout(STOP_SECONDS):
        await peer.stop_worker()
        await peer.close()


def _write(out: int, message: Message) -> None:
    line = memoryview(json.dumps(message).encode() + b"\n")
    while line:
        line = line[os.write(out, line) :]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main(sys.argv[1], os.environ["PEER_DSN"]))
    finally:
        if error := sys.exception():
            traceback.print_exception(error)
        # A library may leave threads behind that would keep the process alive.
        os._exit(1 if error else 0)
