"""The route table: what a route is, what its handler gets, and what it may answer.

    async def show(request: Request[None, None, TaskPath]) -> TaskModel:
        return await find(request.services, request.params.task_id)

    ROUTES = [Route("GET", "/api/v1/tasks/{task_id}", show, "One task", params=TaskPath, response=TaskModel)]

A handler returns a model (rendered with the route's status), a `Reply` (with another status, the position
it wrote, headers), None (204, for a route without a response model), or a `web.StreamResponse` it has
written itself. It raises `service.errors` for everything that goes wrong.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from service.api.requests import Caller
from service.api.services import Services

Scope = Literal["read", "write", "admin"]
Body = TypeVar("Body", default=Any)
Query = TypeVar("Query", default=Any)
Params = TypeVar("Params", default=Any)


class Model(BaseModel):
    """Base of what is received: names that are not known are refused, as are NaN and infinities."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Answer(BaseModel):
    """Base of what is sent: every field is always there, times are UTC with Z."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


@dataclass(frozen=True, slots=True)
class Request(Generic[Body, Query, Params]):
    """One validated request: `body`, `query` and `params` are instances of the route's models, or None.

    `caller` says who asks and how to write in their name; `http` is the request below, which only streams
    need.
    """

    body: Body
    query: Query
    params: Params
    caller: Caller
    services: Services
    http: web.Request


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that needs more than the route's status; `position` becomes the header X-Position."""

    body: BaseModel | None = None
    status: int | None = None
    position: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answered = BaseModel | Reply | web.StreamResponse | None
Handler = Callable[[Request[Any, Any, Any]], Awaitable[Answered]]


@dataclass(frozen=True)
class Route:
    """One method on one path.

    `scope` None lets everybody in. `errors` are the statuses of problems beside those that every route
    can answer (401, 403, 422, 503, ...). `stream` lifts the time limit, lets a stream ticket in, and says
    `text/event-stream`; `text` says text/plain. A POST takes an Idempotency-Key unless it is a stream or says
    `idempotent=False`.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    summary: str
    description: str = ""
    tags: tuple[str, ...] = ()
    scope: Scope | None = "read"
    params: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    response: type[BaseModel] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    stream: bool = False
    text: bool = False
    idempotent: bool | None = None
    example: Mapping[str, Any] | None = None
    response_example: Mapping[str, Any] | None = None

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether the header Idempotency-Key means something here."""
        return self.method == "POST" and not self.stream and self.idempotent is not False

    @property
    def name(self) -> str:
        """Method and path template: what an idempotency key is scoped to, and what metrics count."""
        return f"{self.method} {self.path}"
