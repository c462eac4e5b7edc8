"""One attempt: one POST, from the name's lookup to the answer's headers within one deadline."""

import asyncio
import contextlib

import aiohttp

from service.relay.sending.answer import Answer, excerpt, explain, may_help, retry_after
from service.relay.sending.session import Trace
from service.sections import WebhookSettings


async def attempt(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str], settings: WebhookSettings
) -> Answer:
    """Send once and say how it ended; whatever happens on the network is an answer, never an exception.

    An answer of 2xx is delivered when its headers are there. Any other answer's body is read within
    max_response_bytes and what is left of the time, for the beginning of what it says.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    deadline = began + settings.timeout_seconds
    try:
        async with asyncio.timeout_at(deadline):
            response = await _post(session, url, body, headers)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        text, final = explain(error, settings.timeout_seconds)
        return Answer(None, text, _ms(clock() - began), final)
    latency_ms, status = _ms(clock() - began), response.status
    if 200 <= status < 300:
        # Used again if its body came along with the headers; closed if anything is still to come.
        response.release()
        return Answer(status, None, latency_ms, final=True)
    said = await _beginning(response, settings.max_response_bytes, deadline)
    asked = retry_after(status, response.headers.get("Retry-After"))
    return Answer(status, excerpt(said), latency_ms, not may_help(status), asked)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> aiohttp.ClientResponse:
    """POST, again over another connection when a kept one turns out to be closed by the other side.

    That is no failure of the receiver: it may close what is idle. Each round uses a kept connection up.
    """
    while True:
        trace = Trace()
        try:
            return await session.post(
                url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=trace
            )
        except aiohttp.ClientConnectionError:
            if not trace.reused:
                raise


async def _beginning(response: aiohttp.ClientResponse, most: int, deadline: float) -> bytes:
    """What of the body comes in time, at most so much; the response is closed, or its connection leaks."""
    read = bytearray()
    try:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout_at(deadline):
                while len(read) < most and (chunk := await response.content.read(most - len(read))):
                    read += chunk
    finally:
        response.close()
    return bytes(read)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
