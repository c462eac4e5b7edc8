"""What the events of schedules and followers say."""

from datetime import datetime
from typing import Any

from service.model.registry import EventData, event


@event("schedule.created")
class ScheduleCreated(EventData):
    """A schedule exists; `configured` when its definition comes from the configuration."""

    definition: dict[str, Any]
    next_due_at: datetime | None = None
    configured: bool | None = None


@event("schedule.changed")
class ScheduleChanged(EventData):
    """Its definition is another one, as a whole."""

    definition: dict[str, Any]
    next_due_at: datetime | None = None
    configured: bool | None = None


@event("schedule.fired")
class ScheduleFired(EventData):
    """Its task was enqueued, or could not be (`error`); `missed` due times were passed over before."""

    due_at: datetime
    next_due_at: datetime | None = None
    task_id: str | None = None
    error: str | None = None
    missed: int = 0
    by_hand: bool = False


@event("follower.parked")
class FollowerParked(EventData):
    """A follower failed on the event at `position` and stepped over it."""

    follower: str
    position: int
    error: str


@event("follower.resumed")
class FollowerResumed(EventData):
    """The parked event was done after all, or given up."""

    follower: str
    position: int
    reason: str | None = None
