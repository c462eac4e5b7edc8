"""Running handlers in processes of their own: for work that keeps a CPU busy.

Each child runs one handler at a time and is used again. One that dies takes only its attempt with it, which
fails and says how the process ended; the next attempt gets a new child. A handler that is past its deadline,
or does not stop when told to, is killed with its process.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from typing import Any

from service.errors import AnnalsError
from service.worker.attempt import Attempt, Stop, Verdict, failed
from service.worker.child import LENGTH, Order, pack
from service.worker.executors import PlaceFree
from service.worker.ports import LoopPort, Message, Surroundings

logger = logging.getLogger(__name__)

# How a broken socket shows; the process behind it is gone or about to go.
DIED = (ConnectionError, asyncio.IncompleteReadError)

ENDING_SECONDS = 1.0
# What a child is started with; the descriptor of its socket is one more argument.
COMMAND = (sys.executable, "-m", "service.worker.child")


class Child:
    """A child process and the socket to it."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> "Child":
        """Start a child. Its modules are found as this process finds them."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(*command, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    def send(self, message: Message) -> None:
        """Send without waiting; to a dead child, nothing."""
        self._writer.write(pack(message))

    async def receive(self) -> Message:
        """The next message. Raises one of DIED."""
        header = await self._reader.readexactly(LENGTH.size)
        message = pickle.loads(await self._reader.readexactly(LENGTH.unpack(header)[0]))
        assert isinstance(message, tuple)
        return message

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.process.returncode is None:
            self.process.kill()

    async def close(self) -> str:
        """End it, and say how it ended."""
        self._writer.close()
        # It ends when its socket does. Killed while it is ending, its exit code would be lost.
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                code = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            code = await self.process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class ProcessExecutor:
    """Plain functions with run_in="process"."""

    def __init__(self, around: Surroundings, place_free: PlaceFree, command: Sequence[str] = COMMAND) -> None:
        """`command` starts a child: it ends in a call of child.main with the descriptor of the socket."""
        self._around, self._place_free, self._command = around, place_free, command
        self._idle: list[Child] = []
        self._running: set[asyncio.Task[None]] = set()

    def start(self, attempt: Attempt) -> None:
        """Hand the handler to a child that is free, or to a new one."""
        run = attempt.run = _ProcessRun()
        task = asyncio.get_running_loop().create_task(self._serve(attempt, run), name=attempt.task.task_id)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def ask(self, attempt: Attempt, stop: Stop) -> None:
        """Tell the child, or kill it when the time is up."""
        attempt.run.ask(stop)

    def abandon(self, attempt: Attempt) -> None:
        """Kill the child; the attempt ends when it is gone."""
        attempt.run.abandon()

    async def close(self) -> None:
        """Kill the children."""
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        while self._idle:
            await self._idle.pop().close()

    async def _serve(self, attempt: Attempt, run: "_ProcessRun") -> None:
        child: Child | None = None
        healthy = False
        verdict = failed("ProcessDied", "the worker stopped the process of the handler")
        try:
            child = self._idle.pop() if self._idle else await Child.spawn(self._command)
            verdict = await self._converse(child, attempt, run)
            healthy = not run.killed
        except DIED:
            verdict = failed("ProcessDied", "the process of the handler ended before the handler did")
        except OSError as error:
            verdict = failed("ProcessDied", f"no process could be started for the handler: {error}")
        finally:
            if child and healthy:
                self._idle.append(child)
            elif child:
                how = await child.close()
                if verdict.detail.get("error_type") == "ProcessDied":
                    verdict = failed("ProcessDied", f"{verdict.detail['error_message']} ({how})")
            attempt.end(verdict)
            self._place_free("process")

    async def _converse(self, child: Child, attempt: Attempt, run: "_ProcessRun") -> Verdict:
        """Send the order and serve what the handler asks for, until it ends. Raises one of DIED."""
        port, task = LoopPort(attempt, self._around), attempt.task
        key = self._around.idempotency_key(task.task_id)
        child.send(("run", Order(task, attempt.task_type.owner, key, self._around.max_bytes)))
        run.use(child)
        while True:
            match await child.receive():
                case ("end", Verdict() as verdict):
                    return verdict
                case ("enqueue", draft):
                    child.send(("answer", await _answer(port, draft)))
                case message:
                    port.receive(message)


class _ProcessRun:
    """A child may not have been started yet when the attempt is told to stop."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._asked: Stop | None = None
        self.killed = False

    def use(self, child: Child) -> None:
        self._child = child
        if self.killed:
            child.kill()
        elif self._asked:
            child.send(("stop",))

    def ask(self, stop: Stop) -> None:
        self._asked = stop
        if stop is Stop.TIMED_OUT:
            self.abandon()
        elif self._child:
            self._child.send(("stop",))

    def abandon(self) -> None:
        self.killed = True
        if self._child:
            self._child.kill()


async def _answer(port: LoopPort, draft: dict[str, Any]) -> str | AnnalsError:
    try:
        return await port.enqueue(draft)
    except AnnalsError as error:
        return error
