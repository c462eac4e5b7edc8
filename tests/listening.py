"""`annals webhooks listen` as a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class DidNotStart(Exception):
    """What it said instead, and its exit code."""

    def __init__(self, said: list[str], code: int | None) -> None:
        super().__init__("".join(said))
        self.code = code


@dataclass(frozen=True)
class Listener:
    """A receiver that listens; `said` is what it wrote to stderr until then."""

    process: asyncio.subprocess.Process
    url: str
    said: list[str]

    async def arrival(self) -> dict[str, Any]:
        """The next line of its output, with --json."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        return dict(json.loads(line))

    async def end(self) -> tuple[int, list[str]]:
        """Ctrl-C; gives exit code and the lines that were not read yet."""
        self.process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(self.process.communicate(), 20)
        return int(self.process.returncode or 0), out.decode().splitlines()


@asynccontextmanager
async def listening(*options: str, dsn: str | None = None, **variables: str) -> AsyncIterator[Listener]:
    """Start one on a free port, and kill it at the end. Raises DidNotStart."""
    environment = dict(os.environ) | {"ANNALS_ENV": "test", "PYTHONPATH": str(ROOT)} | variables
    environment.pop("DATABASE_URL", None)
    environment |= {"DATABASE_URL": dsn} if dsn else {}
    command = [sys.executable, "-m", "service", "webhooks", "listen", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        said: list[str] = []
        async with asyncio.timeout(30):
            while not said or "Receiving at" not in said[-1]:
                if not (line := await process.stderr.readline()):
                    raise DidNotStart(said, await process.wait())
                said.append(line.decode())
        yield Listener(process, said[-1].split()[2].rstrip("/"), said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
