"""`/docs` (Swagger UI from files of our own, nothing is fetched from elsewhere), `/openapi.json`, and `/`."""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from aiohttp import web

from service.api import openapi
from service.api.routing import Route

STATIC = Path(__file__).parent / "static"
# The page may load only what this server serves. Swagger UI sets styles on elements and draws data: images.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
FOREVER = "public, max-age=86400"


def add_docs(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve the documentation of the routes; it needs no key, because a browser cannot send one."""

    @cache
    def document() -> str:
        return openapi.text(routes)

    async def show_document(_: web.Request) -> web.Response:
        # Made when asked for: it takes longer than all else at a start. In a thread: it would hold the loop.
        return web.Response(text=await asyncio.to_thread(document), content_type="application/json")

    async def show_page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "docs.html", headers={"Content-Security-Policy": POLICY})

    async def show_file(http: web.Request) -> web.FileResponse:
        path = STATIC / http.match_info["name"]
        if path.name not in SERVED:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": FOREVER})

    async def lead_to_docs(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/docs"})

    app.router.add_get("/", lead_to_docs)
    app.router.add_get("/openapi.json", show_document)
    app.router.add_get("/docs", show_page)
    app.router.add_get("/docs/{name}", show_file)


SERVED = {path.name for path in STATIC.iterdir()} - {"docs.html"}
