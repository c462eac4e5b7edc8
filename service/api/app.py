"""The application: every route behind one edge, and the loops that live as long as it does."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from service.api import (
    biography,
    deliveries,
    diff_routes,
    docs,
    error_routes,
    events,
    fleet,
    health,
    metrics,
    retention,
    schedules,
    status,
    streams,
    tasks,
    webhooks,
)
from service.api.auth import Authenticator
from service.api.edge import edge, stamp
from service.api.endpoint import endpoint
from service.api.enqueuer import Enqueuer
from service.api.feed import Feed
from service.api.log_reads import Log
from service.api.metrics import Metrics
from service.api.routing import Route
from service.api.schema import SchemaCheck
from service.api.services import Services
from service.lifecycle import Supervisor
from service.settings import Settings
from service.store.doorbell import Doorbell
from service.store.fleet import FleetStore
from service.store.pool import Database
from service.store.status import StatusStore
from service.store.tasks import TaskStore
from service.store.wakeups import Wakeups
from service.watchdog import Watchdog

SERVICES = web.AppKey("services", Services)
ROUTES: list[Route] = [
    *(*tasks.ROUTES, *biography.ROUTES, *streams.ROUTES, *events.ROUTES, *schedules.ROUTES),
    *(*error_routes.ROUTES, *diff_routes.ROUTES, *fleet.ROUTES, *health.ROUTES, *metrics.ROUTES),
    *(*status.ROUTES, *deliveries.ROUTES, *webhooks.ROUTES, *retention.ROUTES),
]


def build_services(settings: Settings, db: Database, wakeups: Wakeups, doorbell: Doorbell) -> Services:
    """The container of one process, on connections that the caller opens and closes."""
    log, tasks_store, watchdog = Log(db), TaskStore(db), Watchdog()
    return Services(
        settings=settings,
        db=db,
        wakeups=wakeups,
        doorbell=doorbell,
        tasks=tasks_store,
        log=log,
        fleet=FleetStore(db),
        authenticator=Authenticator(settings.api, db),
        enqueuer=Enqueuer(tasks_store, log, doorbell),
        feed=Feed(log, wakeups.subscribe("annals_events")),
        schema=SchemaCheck(db),
        watchdog=watchdog,
        status=StatusStore(db),
        metrics=Metrics(StatusStore(db), watchdog),
    )


def build_app(services: Services, routes: Sequence[Route] = ()) -> web.Application:
    """The API's own routes and those of subjects, served and documented.

    Raises ValueError when two routes have the same method and path.
    """
    table = [*routes, *ROUTES]
    names = [route.name for route in table]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"routes given twice: {', '.join(sorted(twice))}")
    app = web.Application(middlewares=[edge], client_max_size=services.settings.api.max_body_bytes)
    app[SERVICES] = services
    for route in sorted(table, key=_literal_first):
        handler = endpoint(route, services, services.authenticator)
        app.router.add_route(route.method, route.path, handler)
        if route.method == "GET" and not route.stream:
            app.router.add_route("HEAD", route.path, handler)
    docs.add_docs(app, table)
    app.on_response_prepare.append(stamp)
    app.cleanup_ctx.append(_loops)
    app.on_shutdown.append(_end_streams)
    return app


def _literal_first(route: Route) -> tuple[str, ...]:
    """/tasks/bulk must be found before /tasks/{task_id}."""
    return tuple(part.replace("{", "\uffff") for part in route.path.split("/"))


async def _loops(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    async with Supervisor(asyncio.Event()) as supervisor:
        supervisor.keep("watchdog", services.watchdog.run)
        supervisor.keep("event feed", services.feed.run)
        yield


async def _end_streams(app: web.Application) -> None:
    """Before open requests are waited for: a stream does not end by itself."""
    app[SERVICES].feed.close()
