"""The sections of the configuration, as frozen models. Values and units are described in config/default.toml.

Defaults stand in default.toml alone; a field has a default here only where "unset" is a value.
"""

import json
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator


def split_words(value: Any) -> Any:
    """Take "a, b" and '["a", "b"]' for a list: what an environment variable can hold."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


Words = Annotated[list[str], BeforeValidator(split_words)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Grace = Annotated[float, Field(ge=0)]
# Up to a hundred years, in hours or days as the name says: more is no time of PostgreSQL's any longer.
Age = Annotated[float, Field(ge=0, le=876_600)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A section refuses names it does not know and cannot be changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """How to reach PostgreSQL; `url` None means the embedded server."""

    url: str | None = Field(default=None, repr=False)
    listen_url: str | None = Field(default=None, repr=False)
    pool_min: Count
    pool_max: Positive
    statement_cache_size: Count
    command_timeout_seconds: Seconds
    idle_in_transaction_timeout_seconds: Seconds

    @model_validator(mode="after")
    def pool_has_room(self) -> Self:
        if self.pool_min > self.pool_max:
            raise ValueError(f"pool_min ({self.pool_min}) is above pool_max ({self.pool_max})")
        return self


PublicPath = Literal["/healthz", "/readyz", "/metrics"]


class ApiSettings(Section):
    """The HTTP server."""

    host: str
    port: int = Field(ge=0, le=65535)
    max_body_bytes: Positive
    request_timeout_seconds: Seconds
    auth_required: bool
    public_paths: Annotated[list[PublicPath], BeforeValidator(split_words)]
    development_key: str | None = Field(default=None, min_length=1, repr=False)
    shutdown_grace_seconds: Grace


class WorkerSettings(Section):
    """Worker processes: what they serve, how much at once, and when they are given up."""

    concurrency: Positive
    processes: Count
    queues: Annotated[Words, Field(min_length=1)]
    imports: Words
    poll_interval_seconds: Seconds
    flush_interval_ms: Grace
    claim_batch: Positive
    threads: Positive
    process_pool: Positive
    grace_seconds: Grace
    heartbeat_seconds: Seconds
    lost_after_seconds: Seconds
    self_fence_seconds: Seconds
    cancel_poll_seconds: Seconds
    max_rescues: Count
    progress_min_seconds: Grace
    progress_max_seconds: Seconds

    @model_validator(mode="after")
    def fences_itself_before_it_is_given_up(self) -> Self:
        """A worker must stop before its tasks may be handed to another, or they run twice."""
        if not self.heartbeat_seconds < self.self_fence_seconds < self.lost_after_seconds:
            raise ValueError("heartbeat_seconds < self_fence_seconds < lost_after_seconds must hold")
        if self.progress_min_seconds > self.progress_max_seconds:
            raise ValueError("progress_min_seconds is above progress_max_seconds")
        return self


class RelaySettings(Section):
    """The relay: how it leads, follows the log, fires schedules, and enforces deadlines."""

    processes: Count
    lease_seconds: Seconds
    renew_seconds: Seconds
    poll_interval_seconds: Seconds
    batch: Positive
    attempts: Positive
    retry_seconds: Seconds
    missed_after_seconds: Grace
    deadline_grace_seconds: Grace

    @model_validator(mode="after")
    def renews_before_the_lease_runs_out(self) -> Self:
        """One renewal may fail; two in a row must not find the lease gone already."""
        if self.renew_seconds * 2 > self.lease_seconds:
            raise ValueError("renew_seconds is more than half of lease_seconds")
        return self


class RetentionSettings(Section):
    """How long rows are kept after their last change, and how often the relay looks. The log stays whole."""

    enabled: bool
    interval_seconds: Seconds
    batch: int = Field(ge=1, le=10_000)
    tasks_hours: Age
    dead_letters_days: Age
    attempts_days: Age
    coverage_history_days: Age
    deliveries_days: Age
    # An answer that is older is not given again anyhow.
    idempotency_keys_hours: float = Field(ge=0, le=24)

    def kept(self) -> dict[str, timedelta]:
        """By kind of rows, in the order in which the relay removes them."""
        return {
            "tasks": timedelta(hours=self.tasks_hours),
            "dead_letters": timedelta(days=self.dead_letters_days),
            "attempts": timedelta(days=self.attempts_days),
            "coverage_history": timedelta(days=self.coverage_history_days),
            "deliveries": timedelta(days=self.deliveries_days),
            "idempotency_keys": timedelta(hours=self.idempotency_keys_hours),
        }


class EventSettings(Section):
    """The log."""

    max_bytes: Positive


class WakeupSettings(Section):
    """The doorbell and the connection that hears it."""

    ring_interval_ms: Grace
    self_test_seconds: Seconds


class BackgroundTaskSettings(Section):
    """Whether the service takes background work at all."""

    enabled: bool


class CoverageSettings(Section):
    """How coverage is counted."""

    confidence_threshold: Share
    default_target: Positive
    nodes_per_chunk: Positive
    chunk_chars: Positive


class WebhookSettings(Section):
    """Which callback addresses are accepted, and how webhooks are sent to them."""

    allow_http_localhost: bool
    attempts: Positive
    first_delay_seconds: Seconds
    timeout_seconds: Seconds
    concurrency: Positive
    per_endpoint: Positive
    slow_after_seconds: Seconds
    most_open: Positive
    retry_after_max_seconds: Grace
    max_response_bytes: Count
    pause_after_seconds: Seconds
    pause_after_failures: Positive
    probe_seconds: Seconds
    probe_max_seconds: Seconds
    secret_overlap_seconds: Grace

    @model_validator(mode="after")
    def slow_ones_find_room(self) -> Self:
        """A slow attempt leaves its place among those that count: there must be room beside them."""
        if self.most_open < self.concurrency:
            raise ValueError(f"most_open ({self.most_open}) is below concurrency ({self.concurrency})")
        if self.probe_max_seconds < self.probe_seconds:
            raise ValueError("probe_max_seconds is below probe_seconds")
        return self


class TaskTypeSettings(Section):
    """What is to differ from a task type's own defaults; None leaves it as it is."""

    queue: str | None = None
    priority: int | None = Field(default=None, ge=1, le=10)
    max_attempts: Positive | None = None
    timeout_seconds: Seconds | None = None
    backoff: JsonValue = None


class ScheduleSettings(Section):
    """A schedule; what stands here is checked when a relay starts, and again by the database."""

    cron: str
    task_type: str
    time_zone: str = "UTC"
    params: dict[str, JsonValue] = Field(default_factory=dict)
    queue: str | None = None
    priority: int | None = Field(default=None, ge=1, le=10)
    missed_fires: Literal["skip", "once"] = "once"
    enabled: bool = True


class LogSettings(Section):
    """The service's own log lines."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    format: Literal["json", "text", "auto"]
    queue_size: Positive
