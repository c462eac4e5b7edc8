"""Who blocks the event loop: its lag, and the stack of what held it.

A coroutine that computes, or calls something that waits, stops everything else in its process: other
attempts, requests, the signs of life.
The loop stamps a clock ten times a second; a thread sees when the stamp is old and looks at what the loop's
thread is doing at that moment, which is the only moment when it can be seen.
"""

import asyncio
import logging
import sys
import threading
import traceback
from time import monotonic

from service.probe import Probe

logger = logging.getLogger(__name__)

STAMP_SECONDS = 0.1
DEEPEST_STACK = 12


class Watchdog:
    """Watches the loop while `run()` runs; `lag_seconds` is the last lag that was measured."""

    def __init__(self, threshold_seconds: float = 0.5) -> None:
        self._threshold = threshold_seconds
        self._stamp = monotonic()
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.lag_seconds = 0.0
        self._worst = 0.0
        self.barked: Probe[str] = Probe()

    def take_worst(self) -> float:
        """The worst lag since this was last asked, in seconds; also one that has not ended."""
        worst, self._worst = max(self._worst, monotonic() - self._stamp - STAMP_SECONDS), 0.0
        return worst

    async def run(self) -> None:
        """Stamp until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._ended.clear()
        loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, args=[loop_thread], name="watchdog", daemon=True).start()
        try:
            while True:
                self._stamp = monotonic()
                await asyncio.sleep(STAMP_SECONDS)
                self.lag_seconds = max(0.0, monotonic() - self._stamp - STAMP_SECONDS)
                self._worst = max(self._worst, self.lag_seconds)
        finally:
            self._ended.set()

    def _watch(self, loop_thread: int) -> None:
        reported = 0.0
        while not self._ended.wait(STAMP_SECONDS):
            stamp = self._stamp
            lag = monotonic() - stamp - STAMP_SECONDS
            if lag > self._threshold and stamp != reported:
                reported = stamp
                self._bark(loop_thread, lag)

    def _bark(self, loop_thread: int, lag: float) -> None:
        frame = sys._current_frames().get(loop_thread)
        stack = "".join(traceback.format_stack(frame, DEEPEST_STACK)) if frame else "(unknown)"
        task = asyncio.current_task(self._loop) if self._loop else None
        name = task.get_name() if task else "a callback"
        fields = {"held_by": name, "lag_seconds": round(lag, 3), "stack": stack}
        logger.warning("The event loop is blocked", extra={"fields": fields})
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.barked.emit, name)
