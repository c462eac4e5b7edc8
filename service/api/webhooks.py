"""Routes of where webhooks go and what signs them: endpoints and secrets."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from service.api.deliveries import TAGS, ring
from service.api.delivery_models import Url
from service.api.idempotency import once
from service.api.routing import Answer, Handler, Model, Reply, Request, Route
from service.store.deliveries import DeliveryStore
from service.store.delivery_lists import DeliveryLists
from service.store.pool import Session
from service.store.webhook_secrets import list_secrets, new_secret

Status = Literal["active", "paused", "disabled"]


class EndpointModel(Answer):
    """An endpoint that ever was sent to, or changed by hand."""

    endpoint: str
    status: Status
    reason: str | None
    changed_at: datetime | None = Field(description="Since when it is so; null when it was never changed.")
    pending: int
    waiting_seconds: float | None = Field(description="Age of the oldest that is pending.")
    last_delivered_at: datetime | None
    last_sequence: int = Field(description="The last number given; 0 for none.")
    failures_last_hour: int = Field(description="Failed attempts.")


class Endpoints(Answer):
    """Endpoints, by name."""

    items: list[EndpointModel]
    next: None = None


class EndpointChange(Model):
    """Which endpoint, and why; kept in the log."""

    endpoint: Url = Field(description="A URL; its query does not matter.")
    reason: str | None = Field(default=None, max_length=1000)


class EndpointState(Answer):
    """An endpoint as it is now."""

    endpoint: str
    status: Status
    changed: bool = Field(description="False when it was so already.")


class SecretModel(Answer):
    """That there is a secret. The secret itself is told once, when it is made."""

    secret_id: int
    scope: str = Field(description="default, endpoint:<URL>, or key:<name of an API key>.")
    created_at: datetime
    expires_at: datetime | None = Field(
        description="Signs beside its successor until then; null: the newest."
    )


class Secrets(Answer):
    """Secrets in force, by scope, the newest first."""

    items: list[SecretModel]
    next: None = None


class Rotation(Model):
    """Which secret is to be replaced, and for how long the one before signs beside it."""

    scope: str = Field(
        default="default",
        pattern=r"^(default|endpoint:\S+|key:\S+)$",
        max_length=2100,
        description="default, endpoint:<URL>, or key:<name of an API key>.",
    )
    overlap_seconds: float | None = Field(
        default=None, ge=0, le=31_536_000, description="Else webhooks.secret_overlap_seconds."
    )
    reason: str | None = Field(default=None, max_length=1000)


class RotatedSecret(Answer):
    """The new secret: keep it now, it is not shown again."""

    secret_id: int
    scope: str
    secret: str | None = Field(description="Null when the request is repeated with its Idempotency-Key.")


async def list_endpoints(request: Request[None, None, None]) -> Endpoints:
    """All of them."""
    rows = await DeliveryLists(request.services.db).endpoints()
    return Endpoints(items=[EndpointModel.model_construct(**asdict(row)) for row in rows])


async def pause(request: Request[EndpointChange, None, None]) -> Reply:
    """Keep back what is to be sent, but for a probe now and then."""
    return await _change(request, "paused")


async def resume(request: Request[EndpointChange, None, None]) -> Reply:
    """Send again, what waits first."""
    return await _change(request, "active")


async def disable(request: Request[EndpointChange, None, None]) -> Reply:
    """Send nothing any more."""
    return await _change(request, "disabled")


async def _change(request: Request[EndpointChange, None, None], status: Status) -> Reply:
    wanted, actor = request.body, request.caller.actor

    async def write(session: Session) -> dict[str, Any]:
        position = await DeliveryStore(session).change_endpoint(
            wanted.endpoint, status, wanted.reason, actor=actor, ring=False
        )
        return {"position": position, "endpoint": await DeliveryLists(session).endpoint_of(wanted.endpoint)}

    result = await once(request.services, request.caller, write)
    ring(request.services)
    changed = result["position"] is not None
    state = EndpointState(endpoint=result["endpoint"], status=status, changed=changed)
    return Reply(state, position=result["position"])


async def show_secrets(request: Request[None, None, None]) -> Secrets:
    """Which there are; never what they are."""
    rows = await list_secrets(request.services.db)
    return Secrets(items=[SecretModel.model_construct(**asdict(row)) for row in rows])


async def rotate(request: Request[Rotation, None, None]) -> Reply:
    """Put a new one in force; told once, and kept nowhere but among the secrets."""
    wanted, actor = request.body, request.caller.actor
    usual = request.services.settings.webhooks.secret_overlap_seconds
    overlap = usual if wanted.overlap_seconds is None else wanted.overlap_seconds
    made: list[str] = []

    async def write(session: Session) -> dict[str, Any]:
        made.append(new_secret())
        return await DeliveryStore(session).rotate_secret(
            wanted.scope, made[0], overlap, wanted.reason, actor=actor, ring=False
        )

    result = await once(request.services, request.caller, write)
    ring(request.services)
    told = RotatedSecret(
        secret_id=result["secret_id"], scope=result["scope"], secret=made[0] if made else None
    )
    return Reply(told, position=result["position"])


ENDPOINTS, SECRETS = "/api/v1/webhooks/endpoints", "/api/v1/webhooks/secrets"
EXAMPLE = {"endpoint": "https://example.com/hook", "reason": "they deploy"}


def _changing(verb: str, handler: Handler, summary: str, description: str) -> Route:
    return Route(
        "POST",
        f"{ENDPOINTS}/{verb}",
        handler,
        summary=summary,
        description=description,
        tags=TAGS,
        scope="admin",
        body=EndpointChange,
        response=EndpointState,
        example=EXAMPLE,
    )


ROUTES = [
    Route(
        "GET",
        ENDPOINTS,
        list_endpoints,
        summary="List endpoints of webhooks, and what waits for them",
        tags=TAGS,
        response=Endpoints,
    ),
    _changing(
        "pause",
        pause,
        "Pause an endpoint",
        "What is to be sent waits, but for a probe now and then: the first that is delivered resumes it.",
    ),
    _changing("resume", resume, "Resume an endpoint", "What waits is sent first, in order."),
    _changing(
        "disable",
        disable,
        "Disable an endpoint",
        "What ends from now on is skipped; what waits stays until the endpoint is resumed.",
    ),
    Route(
        "GET",
        SECRETS,
        show_secrets,
        summary="List which secrets sign webhooks",
        description="Never the secrets themselves.",
        tags=TAGS,
        response=Secrets,
    ),
    Route(
        "POST",
        f"{SECRETS}/rotate",
        rotate,
        summary="Put a new secret in force",
        description="The answer tells it, once. The one before signs beside it for `overlap_seconds`.",
        tags=TAGS,
        scope="admin",
        body=Rotation,
        body_optional=True,
        response=RotatedSecret,
        example={
            "scope": "endpoint:https://example.com/hook",
            "overlap_seconds": 86400,
            "reason": "it leaked",
        },
    ),
]
