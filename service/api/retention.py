"""Routes of retention: what is kept for how long, what was removed, and removing the next batch."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from service.api.idempotency import once
from service.api.routing import Answer, Model, Reply, Request, Route
from service.store.pool import Session
from service.store.retention import RetentionStore

What = Literal["tasks", "dead_letters", "attempts", "coverage_history", "deliveries", "idempotency_keys"]


class RetentionModel(Answer):
    """One kind of rows."""

    what: What
    kept_seconds: float = Field(description="For how long a row is kept after its last change.")
    walked_to: int | None = Field(description="Nothing that changed up to this position is left to remove.")
    walked_to_at: datetime | None
    waiting: int = Field(description="What the next batch would remove.")
    waiting_more: bool = Field(description="There may be more to remove after that.")
    removed: int
    batches: int
    applied_at: datetime | None


class RetentionList(Answer):
    """What is kept for how long."""

    items: list[RetentionModel]
    next: None = None


class BatchDraft(Model):
    """Which batch to remove."""

    what: What
    dry_run: bool = Field(default=False, description="Count only; nothing changes.")


class BatchModel(Answer):
    """What one batch removed, or would have."""

    what: What
    dry_run: bool
    removed: int
    up_to_position: int | None
    done: bool = Field(description="There is no more to remove now; else ask again.")


async def show(request: Request[None, None, None]) -> RetentionList:
    """All kinds of rows."""
    store = RetentionStore(request.services.db)
    items = []
    for what, kept in request.services.settings.retention.kept().items():
        row = await store.look(what, kept)
        told = {name: getattr(row, name) for name in RetentionModel.model_fields if name != "kept_seconds"}
        items.append(RetentionModel(kept_seconds=kept.total_seconds(), **told))
    return RetentionList(items=items)


async def run(request: Request[BatchDraft, None, None]) -> Reply:
    """One batch: one transaction, so that no request takes long."""
    asked, settings, caller = request.body, request.services.settings.retention, request.caller
    kept = settings.kept()[asked.what]

    async def write(session: Session) -> dict[str, Any]:
        store = RetentionStore(session)
        if asked.dry_run:
            batch = await store.preview(asked.what, kept, settings.batch)
        else:
            batch = await store.apply(asked.what, kept, settings.batch, actor=caller.actor)
        told = {"removed": batch.removed, "up_to_position": batch.up_to_position, "done": batch.done}
        return told | {"position": batch.position}

    result = await once(request.services, caller, write)
    request.services.doorbell.ring("annals_events")
    position = result.pop("position")
    return Reply(BatchModel(what=asked.what, dry_run=asked.dry_run, **result), position=position)


TAGS = ("retention",)
PATH = "/api/v1/retention"
ROUTES = [
    Route(
        "GET",
        PATH,
        show,
        summary="What is kept for how long, and what was removed",
        tags=TAGS,
        response=RetentionList,
    ),
    Route(
        "POST",
        f"{PATH}/run",
        run,
        summary="Remove the next batch of rows that are kept no longer",
        description="The relay does so by itself. One batch is removed; ask again until `done`.",
        tags=TAGS,
        scope="admin",
        body=BatchDraft,
        response=BatchModel,
        example={"what": "tasks", "dry_run": True},
    ),
]
