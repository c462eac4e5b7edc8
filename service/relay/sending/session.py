"""The HTTP client of webhooks: what it shares, what it never does, and when a connection is used again."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from service import __version__
from service.relay.sending.guard import Guard, Resolver

# A connection kept longer is rather closed by the other side in the very moment it is used again.
KEEPALIVE_SECONDS = 15.0
HEADERS = {
    "User-Agent": f"Annals/{__version__}",
    "Content-Type": "application/json",
    "Accept": "*/*",
    # Nobody unpacks what comes: there is nothing in an answer that would be worth a bomb.
    "Accept-Encoding": "identity",
}


@dataclass
class Trace:
    """What is known of one request besides its answer; given to aiohttp as `trace_request_ctx`."""

    reused: bool = False


async def _on_reuse(_: aiohttp.ClientSession, context: object, __: object) -> None:
    trace = getattr(context, "trace_request_ctx", None)
    if isinstance(trace, Trace):
        trace.reused = True


@asynccontextmanager
async def open_session(allow_loopback: bool) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that goes to guarded addresses only: no proxy, no cookies, nothing unpacked, no redirect.

    How many connections there are is bounded by who asks for them (places.py), not here.
    """
    resolver, tracing = Resolver(), aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_on_reuse)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        socket_factory=Guard(allow_loopback),
        # The system's authorities; SSL_CERT_FILE names others, as for every program that uses OpenSSL.
        ssl=ssl.create_default_context(),
        limit=0,
        limit_per_host=0,
        keepalive_timeout=KEEPALIVE_SECONDS,
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            # An attempt has one deadline, over everything (attempt.py).
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trace_configs=[tracing],
        ) as session:
            yield session
    finally:
        await resolver.close()
