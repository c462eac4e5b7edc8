"""The service's HTTP interface as the demo uses it: JSON in and out, problems as errors of ours."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from service.errors import AnnalsError

PREFIX = "/api/v1"


class Unreachable(AnnalsError):
    """Nothing answers at the address."""

    code, exit_code = "unreachable", 5


class Refused(AnnalsError):
    """The service answered, and not with what was asked for; `answer` is its HTTP status."""

    code = "refused"

    def __init__(self, message: str, *, hint: str = "", answer: int = 500) -> None:
        super().__init__(message, hint=hint)
        self.answer = answer


class Client:
    """Requests to the service at `url` (without a path) with one key. An async context manager."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url.rstrip("/"), key
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
        self._session = aiohttp.ClientSession(headers={"X-API-Key": key}, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str | int | float) -> Any:
        """The JSON answer of GET; raises Refused (`answer` is 404 for what is not there) and Unreachable."""
        async with self._request("GET", path, params=query) as response:
            return await response.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer of POST; raises Refused and Unreachable."""
        async with self._request("POST", path, json=body) as response:
            return await response.json()

    async def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer of PUT; raises Refused and Unreachable."""
        async with self._request("PUT", path, json=body) as response:
            return await response.json()

    @asynccontextmanager
    async def stream(self, path: str, **query: str | int) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The messages of a stream of server-sent events, from when the block is entered.

        Each message is its data, a JSON object; comments and messages of other kinds are passed over.
        """
        headers = {"Accept": "text/event-stream"}
        async with self._request("GET", path, params=query, headers=headers) as response:
            yield _messages(response.content)

    @asynccontextmanager
    async def _request(self, method: str, path: str, **given: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, f"{self.url}{PREFIX}{path}", **given) as response:
                if response.status >= 400:
                    raise await _refusal(method, path, response)
                yield response
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            hint = "Start the service in another terminal with: annals up"
            raise Unreachable(f"Nothing answers at {self.url}: {error}", hint=hint) from error


async def _messages(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    data: list[str] = []
    async for raw in content:
        name, _, value = raw.decode("utf-8").rstrip("\r\n").partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not name and not value and data:
            message = json.loads("\n".join(data))
            data = []
            if isinstance(message, dict):
                yield message


async def _refusal(method: str, path: str, response: aiohttp.ClientResponse) -> Refused:
    """What a problem document says, or the bare status when somebody else answered."""
    text = await response.text()
    try:
        problem = json.loads(text)
        said = problem.get("detail") or problem.get("title") or text
    except (ValueError, AttributeError):
        said = f"{response.status} {response.reason}"
    hint = ""
    if response.status in (401, 403):
        hint = "Make a key that may: annals keys create demo --scope write; then pass it with --key."
    return Refused(f"{method} {path}: {said}", hint=hint, answer=response.status)
