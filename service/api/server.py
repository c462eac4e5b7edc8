"""Serving the API on a port until shutdown."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from service.api.app import build_app, build_services
from service.api.routing import Route
from service.api.schema import require_schema
from service.errors import Invalid
from service.settings import Settings
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.wakeups import Wakeups

logger = logging.getLogger(__name__)

Ready = Callable[[str], None]


async def serve(
    settings: Settings,
    dsn: str,
    routes: Sequence[Route],
    shutdown: asyncio.Event,
    ready: Ready = lambda url: None,
) -> None:
    """Serve until `shutdown` is set; `ready` is called with the base URL once requests are accepted.

    Raises DatabaseUnavailable when there is no database at the start, Conflict when it is to be migrated
    first, Invalid when the port is taken.
    """
    async with serving(settings, dsn, routes) as url:
        ready(url)
        await shutdown.wait()


@asynccontextmanager
async def serving(settings: Settings, dsn: str, routes: Sequence[Route]) -> AsyncIterator[str]:
    """The API within a block, as its base URL. Open requests may finish at the end, for the grace period."""
    async with await Database.open(settings.database, dsn) as db, Doorbell(db, settings.wakeup) as doorbell:
        await require_schema(db)
        wakeups = Wakeups(settings.database.listen_url or dsn, settings.wakeup)
        wakeups.start()
        app = build_app(build_services(settings, db, wakeups, doorbell), routes)
        grace = settings.api.shutdown_grace_seconds
        # Query strings are not logged (they may hold a ticket): the edge writes the access log.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=grace, handle_signals=False)
        await runner.setup()
        try:
            yield await _listen(runner, settings)
        finally:
            await runner.cleanup()
            await wakeups.stop()


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    host, port = settings.api.host, settings.api.port
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise _explain(error, host, port) from error
    found = runner.addresses[0][1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    url = f"http://[{shown}]:{found}" if ":" in shown else f"http://{shown}:{found}"
    logger.info("API listens", extra={"fields": {"url": url, "host": host}})
    return url


def _explain(error: OSError, host: str, port: int) -> Invalid:
    if error.errno == errno.EADDRINUSE:
        return Invalid(
            f"Port {port} of {host} is taken.", hint="Choose another with --port, or 0 for a free one."
        )
    if error.errno == errno.EACCES:
        return Invalid(
            f"Port {port} may not be used by this user.", hint="Choose one above 1023 with --port."
        )
    return Invalid(
        f"Cannot listen on {host}, port {port}: {error.strerror}.", hint="Check api.host and api.port."
    )
