"""All routes of this subject, for the composition root."""

from service.api.routing import Route
from service.coverage import agent_routes, content_routes, coverage_routes, query_routes, refresh_routes

ROUTES: list[Route] = [
    *content_routes.ROUTES,
    *agent_routes.ROUTES,
    *coverage_routes.ROUTES,
    *refresh_routes.ROUTES,
    *query_routes.ROUTES,
]
