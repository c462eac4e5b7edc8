"""Whether this process lives (`/healthz`) and can serve (`/readyz`)."""

import asyncio
from typing import Literal

from pydantic import Field

from service.api.routing import Answer, Reply, Request, Route
from service.api.services import Services
from service.errors import AnnalsError

PATIENCE_SECONDS = 3.0


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Each part by itself; `status` is ok when all are."""

    status: Literal["ok", "unavailable"]
    database: bool
    migrations: bool = Field(description="Whether the schema is this release's.")
    wakeups: bool = Field(
        description="Whether the listening connection is up; without it, work waits for polls."
    )


async def live(_: Request[None, None, None]) -> Health:
    """Says nothing about anything else: a process is not restarted because the database is away."""
    return Health()


async def ready(request: Request[None, None, None]) -> Reply:
    """503 while requests would fail."""
    services = request.services
    database, migrations = await asyncio.gather(_answers(services), services.schema.is_current())
    wakeups = services.wakeups.connected.is_set()
    is_ready = database and migrations and wakeups
    state = Readiness(
        status="ok" if is_ready else "unavailable", database=database, migrations=migrations, wakeups=wakeups
    )
    return Reply(state, 200 if is_ready else 503, headers={} if is_ready else {"Retry-After": "2"})


async def _answers(services: Services) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await services.log.epoch()
    except (AnnalsError, TimeoutError):
        return False
    return True


TAGS = ("health",)
ROUTES = [
    Route("GET", "/healthz", live, summary="Is the process alive", tags=TAGS, response=Health),
    Route(
        "GET",
        "/readyz",
        ready,
        summary="Can requests be served",
        tags=TAGS,
        response=Readiness,
        errors=(503,),
    ),
]
