"""Child processes as the parent sees them: started, watched, started again, ended in order."""

import asyncio
import logging
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import AnnalsError, Invalid

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# A child that lived this long had started well: its next restart is quick again.
HEALTHY_SECONDS = 30.0
# What a child may take beyond its own grace period before it is killed.
KILL_AFTER_SECONDS = 5.0
# Exit code of a command that was called wrongly or has a wrong configuration: it would be so again.
WRONG_USAGE = Invalid.exit_code


class ChildFailed(AnnalsError):
    """A child cannot run with what it was given, and starting it again would not help."""

    code, exit_code = "child_failed", WRONG_USAGE


def tethered(*arguments: str) -> list[str]:
    """The command line of `annals ARGUMENTS...` that ends when its parent does."""
    return [sys.executable, "-m", "service.tether", *arguments]


@dataclass
class Child:
    """One process that is to run for as long as the parent does.

    Its standard input is a pipe that only the parent holds; `grace_seconds` is how long it may take to end
    after SIGTERM.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    grace_seconds: float
    process: Process | None = field(default=None, init=False)
    restarts: int = field(default=0, init=False)

    @property
    def pid(self) -> int | None:
        """Process id of the current run."""
        return self.process.pid if self.process else None

    async def run(self) -> None:
        """Keep it running until cancelled, and then end it. Raises ChildFailed when it was called wrongly."""
        pause = FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            self.process = await self._start()
            code = await self._watch(self.process)
            if code == WRONG_USAGE:
                raise ChildFailed(f"{self.name} cannot start.", hint="It said why above.")
            pause = FIRST_PAUSE_SECONDS if clock() - began > HEALTHY_SECONDS else pause
            facts = {"child": self.name, "exit_code": code, "pause_seconds": pause}
            logger.error("%s ended and is started again", self.name, extra={"fields": facts})
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            self.restarts += 1

    async def _start(self) -> Process:
        # A session of its own: Ctrl-C in the terminal must not reach it past the parent.
        return await asyncio.create_subprocess_exec(
            *self.command, stdin=PIPE, env=dict(self.environment), start_new_session=True
        )

    async def _watch(self, process: Process) -> int:
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                await self._end(process)

    async def _end(self, process: Process) -> None:
        """SIGTERM, patience, SIGKILL."""
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.grace_seconds + KILL_AFTER_SECONDS)
        except TimeoutError:
            logger.error("%s did not end and is killed", self.name, extra={"fields": {"child": self.name}})
            process.kill()
            await process.wait()
