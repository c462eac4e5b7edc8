"""The outermost layer of every request: its id, its access log line, and errors as problems."""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from service.api import problems
from service.api.requests import correlation_id
from service.errors import AnnalsError
from service.log import tell

logger = logging.getLogger(__name__)
access = logging.getLogger("service.api.access")

REQUEST_ID = web.RequestKey("request_id", str)
CALLER_NAME = web.RequestKey("caller_name", str)

# Written to the access log only: nobody is there to read it.
CLIENT_GONE = 499

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever happens below; log it once. The query is not logged: it may hold a ticket."""
    began = time.perf_counter()
    request[REQUEST_ID] = correlation_id(request.headers)
    response: web.StreamResponse | None = None
    try:
        response = await _answered(request, handler)
        return response
    finally:
        _log(request, response, (time.perf_counter() - began) * 1000)


async def stamp(http: web.Request, response: web.StreamResponse) -> None:
    """Headers of every response; connected to the application's on_response_prepare."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "annals"
    if request_id := http.get(REQUEST_ID):
        response.headers["X-Request-ID"] = request_id


async def _answered(http: web.Request, handler: Handler) -> web.StreamResponse:
    """Run the handler; a stream that has begun can only be cut, so its errors are raised."""
    request_id = http[REQUEST_ID]
    try:
        return await handler(http)
    except AnnalsError as error:
        return problems.of_error(error, request_id)
    except web.HTTPException as error:
        return problems.of_http(error, request_id)
    except Exception:
        if http.transport is None or http.transport.is_closing():
            return web.Response(status=CLIENT_GONE)
        logger.exception("request failed", extra={"fields": _facts(http)})
        return problems.of_bug(request_id)


def _log(http: web.Request, response: web.StreamResponse | None, duration_ms: float) -> None:
    status, size = (CLIENT_GONE, None) if response is None else (response.status, response.content_length)
    told = (http.method, http.path, http.get(REQUEST_ID), status, duration_ms, size)
    tell(access, logging.INFO, "request", _access, *told, http.remote, http.get(CALLER_NAME))


def _access(
    method: str,
    path: str,
    request_id: str | None,
    status: int,
    duration_ms: float,
    size: int | None,
    remote: str | None,
    caller: str | None,
) -> dict[str, object]:
    """The fields of an access log line, without those that nothing is known of."""
    facts = {
        "method": method,
        "path": path,
        "request_id": request_id,
        "status": status,
        "duration_ms": round(duration_ms, 2),
        "bytes": size,
        "remote": remote,
        "caller": caller,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _facts(http: web.Request) -> dict[str, object]:
    return {"method": http.method, "path": http.path, "request_id": http.get(REQUEST_ID)}
