"""Failures in groups, as an operator reads them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

GroupState = Literal["new", "ongoing", "quiet"]
GROUP_STATES: tuple[GroupState, ...] = get_args(GroupState)
TREND_PARTS = 24


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The attempts that failed in the same way (migrations/functions/error_fingerprint.sql).

    `occurrences`, `tasks`, `retried` and `final` count within the window that was asked for, `trend` in 24
    equal parts of it; the first and the last occurrence are of everything that is kept up to its end.
    """

    fingerprint: str
    task_type: str
    error_type: str | None
    pattern: str
    frame: str | None
    state: GroupState
    occurrences: int
    tasks: int
    retried: int
    final: int
    first_position: int
    first_seen_at: datetime
    last_position: int
    last_seen_at: datetime
    last_task_id: str
    last_attempt: int
    last_message: str | None
    trend: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One attempt that failed; `outcome` is retry_scheduled, failed or timeout.

    `position` is that of the event that ended it, which also holds the traceback.
    """

    task_id: str
    attempt: int
    outcome: str
    failed_at: datetime
    worker_id: str
    message: str | None
    position: int
    traceback: str | None
