"""Routes of webhooks to send: what became of them, and sending them again."""

from typing import Any

from service.api.delivery_models import (
    DeliveryDetail,
    DeliveryPage,
    DeliveryPath,
    DeliveryQuery,
    Redelivered,
    Replay,
    ReplayAnswer,
    counts,
    detail,
    of_delivery,
    place,
)
from service.api.idempotency import once
from service.api.routing import Reply, Request, Route
from service.api.services import Services
from service.api.task_models import Reason
from service.errors import Conflict, NotFound
from service.store.deliveries import DeliveryStore
from service.store.delivery_lists import DeliveryFilter, DeliveryLists
from service.store.log import LogReader
from service.store.pool import Session
from service.store.travel import settle


async def list_all(request: Request[None, DeliveryQuery, None]) -> DeliveryPage:
    """Deliveries, newest first."""
    wanted = request.query
    only = DeliveryFilter(wanted.status or None, wanted.task_id, wanted.endpoint, wanted.from_, wanted.to)
    page = await DeliveryLists(request.services.db).list(only, limit=wanted.limit, cursor=wanted.cursor)
    return DeliveryPage(items=[of_delivery(row) for row in page.items], next=page.next)


async def show(request: Request[None, None, DeliveryPath]) -> DeliveryDetail:
    """One delivery with its attempts and its body."""
    lists, delivery_id = DeliveryLists(request.services.db), request.params.delivery_id
    row = await lists.get(delivery_id)
    if row is None:
        raise _not_found(delivery_id)
    return detail(row, await lists.attempts(delivery_id), await lists.body(row))


async def redeliver(request: Request[Reason, None, DeliveryPath]) -> Reply:
    """Send one again, under the same id and number."""
    delivery_id, reason, caller = request.params.delivery_id, request.body.reason, request.caller

    async def write(session: Session) -> dict[str, Any]:
        (done,) = await DeliveryStore(session).redeliver(
            [delivery_id], reason, actor=caller.actor, ring=False
        )
        if done.outcome == "not_found":
            raise _not_found(delivery_id)
        if done.outcome == "pending":
            raise Conflict(f"{delivery_id} is still being sent.", hint="Wait for its outcome.")
        if done.outcome == "disabled":
            raise Conflict(
                f"The endpoint of {delivery_id} is disabled.",
                hint="First POST /api/v1/webhooks/endpoints/resume",
            )
        return {"sequence": done.sequence, "position": done.position}

    result = await once(request.services, caller, write)
    ring(request.services)
    shown = Redelivered(delivery_id=delivery_id, sequence=result["sequence"], delivery=place(delivery_id))
    return Reply(shown, position=result["position"])


async def replay(request: Request[Replay, None, None]) -> Reply:
    """Send the webhooks of a stretch of the log again, or tell what that would do."""
    wanted, db, caller = request.body, request.services.db, request.caller
    after = await settle(db, wanted.from_)
    until = await LogReader(db).stable_position() if wanted.to is None else await settle(db, wanted.to)

    async def write(session: Session) -> dict[str, Any]:
        rows = await DeliveryStore(session).replay(
            after,
            until,
            endpoint=wanted.endpoint,
            statuses=wanted.statuses,
            dry_run=wanted.dry_run,
            limit=wanted.limit,
            reason=wanted.reason,
            actor=caller.actor,
            ring=False,
        )
        answer = ReplayAnswer(
            from_position=after,
            to_position=until,
            dry_run=wanted.dry_run,
            counts=counts(rows),
            next=rows[-1].event_position if len(rows) == wanted.limit else None,
        )
        positions = [row.position for row in rows if row.position is not None]
        return {"answer": answer.model_dump(mode="json"), "position": max(positions, default=None)}

    result = await once(request.services, caller, write)
    if result["position"] is not None:
        ring(request.services)
    return Reply(ReplayAnswer.model_validate(result["answer"]), position=result["position"])


def ring(services: Services) -> None:
    """Wake the sender, and the readers of the log."""
    services.doorbell.ring("annals_webhooks")
    services.doorbell.ring("annals_events")


def _not_found(delivery_id: str) -> NotFound:
    return NotFound(
        f"Delivery not found: {delivery_id}",
        hint="What the log still knows of it: GET /api/v1/events?stream=webhook/<delivery_id>",
    )


PATH = "/api/v1/deliveries"
TAGS = ("webhooks",)
EXAMPLE = {"from": "2026-01-31T12:00:00Z", "to": "2026-01-31T13:00:00Z", "dry_run": True}
ROUTES = [
    Route(
        "GET",
        PATH,
        list_all,
        summary="List webhooks to send and sent, newest first",
        tags=TAGS,
        query=DeliveryQuery,
        response=DeliveryPage,
    ),
    Route(
        "GET",
        f"{PATH}/{{delivery_id}}",
        show,
        summary="Show a delivery, its attempts and its body",
        tags=TAGS,
        params=DeliveryPath,
        response=DeliveryDetail,
        errors=(404,),
    ),
    Route(
        "POST",
        f"{PATH}/{{delivery_id}}/redeliver",
        redeliver,
        summary="Send a webhook again",
        description="Under the same `webhook-id` and `webhook-sequence`, with all attempts anew; also one "
        "that is gone from the list. 409 while it is being sent, and while its endpoint is disabled.",
        tags=TAGS,
        scope="write",
        params=DeliveryPath,
        body=Reason,
        body_optional=True,
        response=Redelivered,
        status=202,
        errors=(404, 409),
        example={"reason": "the receiver lost it"},
    ),
    Route(
        "POST",
        f"{PATH}/replay",
        replay,
        summary="Send the webhooks of a stretch of the log again",
        description="Of the tasks with a webhook that ended in it, oldest first. With `dry_run` nothing is "
        "sent. While `next` is not null there are more.",
        tags=TAGS,
        scope="write",
        body=Replay,
        response=ReplayAnswer,
        errors=(409,),
        example=EXAMPLE,
    ),
]
