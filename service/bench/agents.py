"""The processes of a peer as the benchmark sees them: started, driven by JSON lines, ended."""

import asyncio
import json
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from service.bench.install import Program
from service.bench.processes import kill
from service.errors import AnnalsError

# The longest single answer is a list of latencies or of turns.
LINE_BYTES = 1 << 24
START_SECONDS, ANSWER_SECONDS, STOP_SECONDS = 60.0, 300.0, 40.0
TOLD_LINES = 12


class PeerFailed(AnnalsError):
    """A queue did not do what was asked of it; what it said is in the message."""

    code = "peer_failed"


class AgentProcess:
    """One running agent. Calls are answered in order; do not call again before the answer is there."""

    def __init__(self, title: str, process: Process, log: BinaryIO) -> None:
        self._title, self._process, self._log = title, process, log
        # What the agent said of how its queue is set up.
        self.settings = ""
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.on_progress: Callable[[int], None] = lambda _: None
        self._reading = asyncio.create_task(self._read())

    async def call(
        self, command: str, *, limit: float = ANSWER_SECONDS, **arguments: object
    ) -> dict[str, Any]:
        """The answer to a command. Raises PeerFailed when none comes within `limit` seconds."""
        self.tell(command, **arguments)
        return await self._answer(command, limit)

    async def greet(self) -> None:
        """Wait until it is there."""
        said = await self._answer("start", START_SECONDS)
        self.settings = f"{said['settings']}, bulk calls of {said['batch']:,}"

    def tell(self, command: str, **arguments: object) -> None:
        """Send what is not answered."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")

    async def end(self) -> None:
        """Let it stop its worker in order; raises PeerFailed when it does not end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            raise self._failed("did not end") from None
        if code:
            raise self._failed("ended badly")

    async def kill(self) -> None:
        """Leave nothing of it behind, however it is."""
        await kill(self._process)
        self._reading.cancel()

    async def _answer(self, command: str, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                answer = await self._answers.get()
        except TimeoutError:
            raise self._failed(f"gave no answer to {command} within {seconds:.0f} s") from None
        if answer is None:
            raise self._failed(f"ended during {command}")
        return answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "progress" in message:
                self.on_progress(message["progress"])
            else:
                self._answers.put_nowait(message.get("answer", message.get("hello")))
        self._answers.put_nowait(None)

    def _failed(self, what: str) -> PeerFailed:
        self._log.seek(0)
        told = self._log.read().decode(errors="replace").strip().splitlines()[-TOLD_LINES:]
        return PeerFailed("\n  ".join([f"{self._title} {what}.", *told]))


@asynccontextmanager
async def agent(program: Program, dsn: str) -> AsyncIterator[AgentProcess]:
    """A process of a peer on a database; ended in order, and killed when the block was left by an error."""
    environment = {**program.environment, "PEER_DSN": dsn}
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            env=environment,
            limit=LINE_BYTES,
            # Ctrl-C in the terminal must not reach it past us: we end it, and drop its database then.
            start_new_session=True,
        )
        running = AgentProcess(program.title, process, log)
        try:
            await running.greet()
            yield running
            await running.end()
        finally:
            await running.kill()
