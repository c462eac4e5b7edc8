"""What an adapter implements, and the payload it is given."""

import time
from collections.abc import Callable
from typing import Any

Payload = dict[str, Any]
# Called by a handler as its first and only action, with the payload's `t`.
OnJob = Callable[[float], None]

PAD = "x" * 56


class Peer:
    """One queue in one process. `open` comes before an enqueue; stop_worker may come without a start."""

    # What the run prints of how this queue was set up, and how many jobs its bulk call takes at once.
    settings = ""
    batch = 1000

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def setup(self) -> None:
        """Make what the queue needs in an empty database."""

    async def open(self, connections: int) -> None:
        """Connect to enqueue, over so many connections."""

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """Enqueue by the queue's own bulk call; durable when it returns."""
        raise NotImplementedError

    async def enqueue_one(self, payload: Payload) -> None:
        """Enqueue one job; durable when it returns."""
        raise NotImplementedError

    async def start_worker(self, on_job: OnJob) -> None:
        """Start a worker in this process whose handler calls `on_job`."""
        raise NotImplementedError

    async def stop_worker(self) -> None:
        """End it in order."""

    async def close(self) -> None:
        """Close what `open` opened."""


def payload(number: int) -> Payload:
    """About 100 bytes of JSON; `t` is the machine's monotonic clock just before the call that enqueues it."""
    return {"t": time.monotonic(), "i": number, "pad": PAD}
