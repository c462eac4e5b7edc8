"""What the events of retention say."""

from typing import Any

from service.model.registry import EventData, event


@event("retention.applied")
class RetentionApplied(EventData):
    """Rows of one kind that last changed in (from_position, up_to_position], by the cutoff, were removed.

    `counts` tells of tasks how many were in which queue, class, limit group and status. Idempotency keys have
    no positions.
    """

    what: str
    cutoff: str
    removed: int
    from_position: int | None = None
    up_to_position: int | None = None
    counts: list[dict[str, Any]] | None = None
