"""Processes of others, which must not outlive the benchmark."""

import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process


async def kill(process: Process) -> None:
    """End a process that leads a session, and whatever it has started there; nothing when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
