"""One task as the API shows it: with its place in the queue, its attempts and its webhooks."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from service.api.routing import Answer
from service.api.task_models import TaskModel, values_of
from service.model.task import Attempt, Place, Task
from service.store.delivery_lists import Delivery


class AttemptModel(Answer):
    """One run of a task; an open one has no `ended_at`."""

    attempt: int
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: float | None
    worker_id: str | None
    error_type: str | None
    error_message: str | None


class DeliveryBrief(Answer):
    """A webhook that tells how the task ended."""

    delivery_id: str
    status: str = Field(description="pending, delivered, abandoned or skipped.")
    attempts: int
    delivery: str = Field(description="Where it is shown.")


class TaskDetail(TaskModel):
    """A task, where it stands in its queue, what became of its attempts, and who was told.

    Of the past (`at`), the place in the queue and the webhooks are not told.
    """

    queue_position: int | None = Field(description="Rank among what is claimed before it, from 1.")
    queue_position_exact: bool = Field(description="False: the rank is beyond 10,000 and estimated.")
    estimated_completion_at: datetime | None
    attempts: list[AttemptModel]
    deliveries: list[DeliveryBrief] = Field(description="Its webhooks, the newest first; at most 10.")


def detail(
    task: Task, place: Place, attempts: list[Attempt], deliveries: Sequence[Delivery] = ()
) -> TaskDetail:
    """A row with its place in the queue, its attempts and its webhooks."""
    told = [
        DeliveryBrief(
            delivery_id=row.delivery_id,
            status=row.status,
            attempts=row.attempts,
            delivery=f"/api/v1/deliveries/{row.delivery_id}",
        )
        for row in deliveries
    ]
    runs = [
        AttemptModel.model_construct(**{name: getattr(run, name) for name in AttemptModel.model_fields})
        for run in attempts
        if run.started_at is not None  # one that is still to come is no attempt yet
    ]
    return TaskDetail.model_construct(
        **values_of(task),
        queue_position=place.queue_position,
        queue_position_exact=place.exact,
        estimated_completion_at=place.estimated_completion_at,
        attempts=runs,
        deliveries=told,
    )
