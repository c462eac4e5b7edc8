"""Runs `annals ...` as a child that ends when its parent does: `python -m service.tether worker`.

Standard input is a pipe whose other end only the parent holds. It breaks when the parent is gone, for
whatever reason, and on every system; a signal tied to the parent's death exists on Linux alone.
"""

import contextlib
import os
import runpy
import signal
import threading


def hold(descriptor: int) -> None:
    """Start the thread that waits for the pipe to break and then asks this process to end in order."""
    threading.Thread(target=_wait, args=(descriptor,), name="annals-tether", daemon=True).start()


def _wait(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    hold(0)
    runpy.run_module("service", run_name="__main__", alter_sys=True)
