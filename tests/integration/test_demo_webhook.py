"""The demo's receiver where the service does not let it do all: what it says, and that the demo goes on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from service.demo import webhook
from service.demo.client import Client, Refused
from service.demo.webhook import Hook, listening


@asynccontextmanager
async def service(**answers: int) -> AsyncIterator[Client]:
    """A service that answers with a status by the last part of the path; 201 elsewhere."""

    async def answer(request: web.Request) -> web.Response:
        body: Mapping[str, object] = await request.json()
        status = answers.get(request.path.rsplit("/", 1)[-1], 201)
        told = "webhook_url" in body
        return web.json_response({"told": told}, status=status if told or status != 422 else 201)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with Client(f"http://127.0.0.1:{runner.addresses[0][1]}", "test-key") as client:
            yield client
    finally:
        await runner.cleanup()


async def test_without_the_right_to_make_a_secret_nothing_is_verified() -> None:
    async with service(rotate=403) as client, listening(client) as hook:
        assert hook.url.endswith("/demo") and not await hook.of(hook.url)


async def test_what_else_is_refused_is_no_matter_of_rights() -> None:
    async with service(rotate=500) as client:
        with pytest.raises(Refused):
            async with listening(client):
                pass


async def test_a_service_that_accepts_no_such_url_is_asked_without() -> None:
    async with service(rotate=403, tasks=422) as client, listening(client) as hook:
        assert await hook.enqueue(client, "/tasks", {}) == {"told": False}
        assert hook.url == "" and await hook.enqueue(client, "/tasks", {}) == {"told": False}


async def test_a_second_demo_beside_the_first_listens_elsewhere() -> None:
    async with service(rotate=403) as client, listening(client) as one, listening(client) as other:
        assert one.url != other.url
        assert await one.enqueue(client, "/tasks", {}) == {"told": True}


async def test_when_nothing_comes_it_says_what_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PATIENCE_SECONDS", 0.01)
    hook = Hook()
    hook.url = "http://127.0.0.1:9119/demo"
    is_well, text = await hook.story(4)
    assert not is_well and text == f"none of 4 came to {hook.url}; is a relay running?"


async def test_a_service_elsewhere_cannot_reach_this_machine() -> None:
    async with Client("https://annals.example", "key") as client, listening(client) as hook:
        assert hook.url == ""
