"""Where a task's time went, once more: walked event by event, from the contract and not from the SQL."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.model.reference_fold import AGAIN, TERMINAL, Event

Span = tuple[datetime, datetime]
ZERO = timedelta(0)
QUEUES_IT = ("task.enqueued", "task.retry_requested", *AGAIN)
WAITING = {"task.retry_scheduled": "backoff", "task.snoozed": "snoozed"}


@dataclass
class Clockwork:
    """One life being walked: what goes on since when, and what it has taken so far."""

    pauses: Sequence[Span]
    signs: Mapping[str, datetime]
    told: Mapping[int, datetime]
    spent: dict[str, timedelta] = field(default_factory=lambda: defaultdict(timedelta))
    doing: str = ""
    since: datetime | None = None
    because: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    position: int = 0
    reported: datetime | None = None

    def turn(self, doing: str, when: datetime, event: Event) -> None:
        """One thing ends with an event, and the next begins."""
        self.close(when, event)
        self.doing, self.since, self.because, self.kind = doing, when, event["data"], event["type"]
        self.position, self.reported = event["position"], None

    def close(self, when: datetime, event: Event | None) -> None:
        """Book what went on until now."""
        if self.since is None:
            return
        if self.doing == "pending":
            run_at = self.because.get("run_at") if self.kind in ("task.enqueued", *WAITING) else None
            due = min(max(self.since, datetime.fromisoformat(run_at)), when) if run_at else self.since
            self.spent[WAITING.get(self.kind, "waiting_for_time")] += due - self.since
            paused = sum((max(min(when, b) - max(due, a), ZERO) for a, b in self.pauses), ZERO)
            self.spent["paused"] += paused
            self.spent["queued"] += when - due - paused
        elif self.doing == "running":
            alive = when
            if event is not None and was_rescue(event):
                sign = self.signs.get(self.because["worker_id"], self.since)
                alive = min(when, max(self.since, sign, self.reported or self.since))
            self.spent["running"] += alive - self.since
            self.spent["lost"] += when - alive
        else:
            told = min(max(self.since, self.told.get(self.position, self.since)), when)
            self.spent["delivering"] += told - self.since
            self.spent["over"] += when - told


def was_rescue(event: Event) -> bool:
    data = event["data"]
    return (
        event["type"] == "task.rescued"
        or data.get("reason") == "worker_lost"
        or (event["type"] == "task.cancelled" and "worker_id" in data)
    )


def time_spent(
    life: Iterable[Event],
    pauses: Sequence[Span],
    signs: Mapping[str, datetime],
    told: Mapping[int, datetime],
    at: datetime,
) -> tuple[dict[str, timedelta], timedelta]:
    """The phases that took time, and how long the life was; it may end with the end of its agent.

    `told` says when the webhook of an end, by its position, was delivered or given up; `at` when not yet.
    """
    clockwork, clock, born = Clockwork(pauses, signs, told), datetime.min.replace(tzinfo=at.tzinfo), None
    for event in life:
        happened = event["data"].get("occurred_at")
        if event["type"] == "task.progressed":
            clockwork.reported = event["recorded_at"]
            continue
        clock = max(clock, datetime.fromisoformat(happened) if happened else event["recorded_at"])
        born = born or clock
        if event["type"] in ("agent.deleted", "retention.applied"):
            if clockwork.doing == "over":
                break
            clockwork.turn("over", clock, event)
        elif event["type"] in TERMINAL:
            clockwork.turn("over", clock, event)
        elif event["type"] in QUEUES_IT:
            clockwork.turn("pending", clock, event)
        elif event["type"] == "task.started":
            clockwork.turn("running", clock, event)
    end = clockwork.since if clockwork.doing == "over" else max(clock, at)
    assert born is not None and end is not None
    if clockwork.doing == "over":
        end = max(end, told.get(clockwork.position, end))
    clockwork.close(end, None)
    return {phase: took for phase, took in clockwork.spent.items() if took}, end - born
