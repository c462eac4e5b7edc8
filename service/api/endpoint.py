"""From a route to what aiohttp calls: authenticate, authorize, read, validate, handle, render."""

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel

from service.api import requests
from service.api.auth import Authenticator, require
from service.api.edge import CALLER_NAME, REQUEST_ID, Handler
from service.api.problems import TimedOut
from service.api.routing import Answered, Reply, Request, Route
from service.api.services import Services
from service.api.validation import parse_body, parse_params, parse_query
from service.errors import Invalid

NOT_SURE = "It may have taken effect: repeat it with the same Idempotency-Key, or look."


def endpoint(route: Route, services: Services, authenticator: Authenticator) -> Handler:
    """The aiohttp handler of a route; what it raises is rendered by `edge`."""
    seconds = services.settings.api.request_timeout_seconds
    is_public = route.scope is None or route.path in services.settings.api.public_paths

    async def serve(http: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(seconds) as limit:
                caller = await _caller(http)
                request = await _read(route, services, http, caller)
                if route.stream:
                    limit.reschedule(None)
                return _rendered(route, await route.handler(request))
        except TimeoutError as error:
            hint = NOT_SURE if route.method != "GET" else "Ask for less, or try again."
            raise TimedOut(f"The request took longer than {seconds:g} seconds.", hint=hint) from error

    async def _caller(http: web.Request) -> requests.Caller:
        request_id, trace = http[REQUEST_ID], requests.trace(http.headers)
        if is_public:
            return requests.Caller("anonymous", frozenset(), request_id, trace)
        ticket = http.query.get("ticket") if route.stream and route.method == "GET" else None
        identity = await authenticator.identify(http.headers, ticket)
        http[CALLER_NAME] = identity.name
        require(identity, route.scope or "read")
        return requests.Caller(identity.name, identity.scopes, request_id, trace)

    return serve


async def _read(
    route: Route, services: Services, http: web.Request, caller: requests.Caller
) -> Request[BaseModel | None, BaseModel | None, BaseModel | None]:
    """Validate everything before the handler runs. Raises Rejected, or what aiohttp raises for a big body."""
    params, query = parse_params(route, http), parse_query(route, http)
    raw = await _body(http) if http.can_read_body and route.method != "GET" else b""
    body = parse_body(route, raw)
    if route.takes_idempotency_key:
        key = requests.request_key(http.headers, caller.name, route.name, http.path_qs, raw)
        if key is not None:
            caller = requests.Caller(caller.name, caller.scopes, caller.correlation_id, caller.trace, key)
    return Request(body, query, params, caller, services, http)


async def _body(http: web.Request) -> bytes:
    try:
        return await http.read()
    except (web.RequestPayloadError, HttpProcessingError):
        raise Invalid(
            "The body cannot be decoded.", hint="Check Content-Encoding and Content-Length."
        ) from None


def _rendered(route: Route, answered: Answered) -> web.StreamResponse:
    if isinstance(answered, Reply):
        reply = answered
    elif isinstance(answered, web.StreamResponse):
        return answered
    else:
        reply = Reply(answered)
    headers = dict(reply.headers)
    if reply.position is not None:
        headers["X-Position"] = str(reply.position)
    if reply.body is None:
        return web.Response(status=reply.status or HTTPStatus.NO_CONTENT, headers=headers)
    headers["Content-Type"] = "application/json"
    return web.Response(
        body=reply.body.model_dump_json(by_alias=True).encode(),
        status=reply.status or route.status,
        headers=headers,
    )
