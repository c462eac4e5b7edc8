"""What the events of webhooks and their endpoints say."""

from datetime import datetime

from service.model.registry import EventData, event


@event("webhook.requested")
class WebhookRequested(EventData):
    """A webhook is to be sent, under the next number of its endpoint.

    One that is requested again (`redelivery` counts from 1) keeps its number and names what the row needs of
    the life before it.
    """

    url: str
    endpoint: str
    sequence: int
    task_id: str
    task_type: str
    event_position: int
    event_type: str
    api_key: str | None = None
    reason: str | None = None
    redelivery: int | None = None
    first_position: int | None = None
    first_at: datetime | None = None
    attempts_before: int | None = None


@event("webhook.skipped")
class WebhookSkipped(EventData):
    """A webhook is not sent, and takes no number; `endpoint` is missing where the URL is none."""

    url: str
    task_id: str
    task_type: str
    event_position: int
    event_type: str
    reason: str
    endpoint: str | None = None
    api_key: str | None = None


@event("webhook.attempt_failed")
class WebhookAttemptFailed(EventData):
    """An attempt failed, with an answer or without; `next_delay_ms` is missing when it was the last."""

    attempt: int
    task_id: str
    endpoint: str
    latency_ms: float | None = None
    http_status: int | None = None
    error: str | None = None
    next_delay_ms: float | None = None
    probe: bool = False


@event("webhook.delivered")
class WebhookDelivered(EventData):
    """The receiver took it, at attempt number `attempts`."""

    attempt: int
    attempts: int
    task_id: str
    endpoint: str
    http_status: int | None = None
    latency_ms: float | None = None


@event("webhook.abandoned")
class WebhookAbandoned(EventData):
    """It is not tried any more, until somebody asks for it again."""

    attempts: int
    task_id: str
    endpoint: str
    reason: str


@event("endpoint.paused")
class EndpointPaused(EventData):
    """Its webhooks wait, but for a probe now and then."""

    endpoint: str
    reason: str | None = None


@event("endpoint.resumed")
class EndpointResumed(EventData):
    """Its webhooks are sent again."""

    endpoint: str
    reason: str | None = None


@event("endpoint.disabled")
class EndpointDisabled(EventData):
    """Nothing is sent there until somebody resumes it."""

    endpoint: str
    reason: str | None = None


@event("secret.rotated")
class SecretRotated(EventData):
    """Another secret signs, beside the one before for `overlap_seconds`; neither is told."""

    scope: str
    overlap_seconds: float
    reason: str | None = None
