"""Metrics for Prometheus: the state of the whole installation, and of this process.

Every API process tells the same of the installation, so ask one of them, or take the maximum over all. A
scrape reads nothing that grows with the queue or the log; scrapes within a second share one reading.
"""

import asyncio
import logging
from collections.abc import Iterator
from time import monotonic

from aiohttp import web
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from service.api.families import families, loop_lag
from service.api.routing import Request, Route
from service.errors import AnnalsError
from service.probe import Probe
from service.store.console import NOT_MIGRATED
from service.store.readings import Reading
from service.store.status import StatusStore
from service.watchdog import Watchdog

logger = logging.getLogger(__name__)
FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


class Metrics:
    """The text of a scrape, of one process; it has a registry of its own, not the library's global one."""

    def __init__(self, status: StatusStore, watchdog: Watchdog) -> None:
        self._status, self._watchdog = status, watchdog
        self._lock = asyncio.Lock()
        self._reading: Reading | None = None
        self._text, self._fresh_until = b"", 0.0
        self.was_read: Probe[bool] = Probe()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def text(self) -> bytes:
        """The metrics, at most a second old; without a database those of this process."""
        async with self._lock:
            if monotonic() > self._fresh_until:
                self._reading = await self._read()
                self.was_read.emit(self._reading is not None)
                self._text = generate_latest(self._registry)
                self._fresh_until = monotonic() + FRESH_SECONDS
            return self._text

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for: the families of the last reading."""
        up = self._reading is not None
        yield GaugeMetricFamily("annals_database_up", "1 while the database answers.", value=up)
        yield loop_lag(self._reading, self._watchdog.take_worst())
        if self._reading:
            yield from families(self._reading)

    async def _read(self) -> Reading | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._status.reading()
        except (AnnalsError, TimeoutError, *NOT_MIGRATED) as error:
            logger.warning("Metrics without the database", extra={"fields": {"error": str(error)}})
            return None


async def metrics(request: Request[None, None, None]) -> web.Response:
    """What a scrape gets."""
    text = await request.services.metrics.text()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


ROUTES = [
    Route(
        "GET",
        "/metrics",
        metrics,
        summary="Metrics for Prometheus",
        description="The text format 0.0.4. The same from every API process, except those of the process.",
        tags=("health",),
        text=True,
    ),
]
