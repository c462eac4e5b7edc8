"""What the handlers of one process have done so far."""

import asyncio
import time


class Tally:
    """Counts jobs. `on_job` may be called from any thread; everything else on the loop it was made on."""

    def __init__(self) -> None:
        self.count, self.first = 0, 0.0
        self.keep_latencies = False
        self.latencies: list[float] = []
        self._target = 0
        self._reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def on_job(self, enqueued_at: float) -> None:
        """One more; `enqueued_at` is by the clock that all processes of the machine share."""
        now = time.monotonic()
        if not self.count:
            self.first = now
        if self.keep_latencies:
            self.latencies.append(now - enqueued_at)
        self.count += 1
        if self.count == self._target:
            self._loop.call_soon_threadsafe(self._reached.set)

    async def reach(self, number: int) -> None:
        """Wait until so many have been counted in all."""
        self._reached.clear()
        self._target = number
        # The last of them may have come before anybody waited for it.
        if self.count < number:
            await self._reached.wait()
