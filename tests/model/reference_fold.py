"""The second fold: small, slow, event by event, written from the contract and not from the SQL.

It exists to disagree. `Fold.apply` takes one event (a row of `events` as a dict) at a time; each read model
is an attribute of its name, keyed by its primary key.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.model.reference_agents import AgentFold
from tests.model.reference_fingerprint import fingerprint
from tests.model.reference_relay import RelayFold
from tests.model.reference_retention import retire
from tests.model.reference_webhooks import WebhookFold

Row = dict[str, Any]
Event = Mapping[str, Any]

HEADED = ("task", "agent")
TERMINAL = {
    "task.completed": "completed",
    "task.failed": "failed",
    "task.timed_out": "timeout",
    "task.cancelled": "cancelled",
}
AGAIN = ("task.retry_scheduled", "task.snoozed", "task.released", "task.rescued")


class Fold:
    """Every read model after the events applied so far. `lanes` maps (queue, class, group) to a lane."""

    def __init__(self, lanes: Mapping[tuple[str, int, str], int]) -> None:
        self.lanes = lanes
        self.background_tasks: dict[str, Row] = {}
        self.task_attempts: dict[tuple[str, int], Row] = {}
        self.workers: dict[str, Row] = {}
        self.queues: dict[str, Row] = {}
        self.api_keys: dict[str, Row] = {}
        self.stream_heads: dict[tuple[str, str], Row] = {}
        self.retention_totals: dict[str, Row] = {}
        self._subjects: dict[str, UUID | None] = {}
        self._agents = AgentFold()
        self._relay = RelayFold()
        self._webhooks = WebhookFold()

    @property
    def agents(self) -> dict[UUID, Row]:
        return self._agents.agents

    @property
    def coverage_history(self) -> dict[int, Row]:
        return self._agents.coverage_history

    @property
    def schedules(self) -> dict[str, Row]:
        return self._relay.schedules

    @property
    def parked_events(self) -> dict[tuple[str, int], Row]:
        return self._relay.parked_events

    @property
    def webhook_deliveries(self) -> dict[str, Row]:
        return self._webhooks.webhook_deliveries

    @property
    def webhook_endpoints(self) -> dict[str, Row]:
        return self._webhooks.webhook_endpoints

    def apply_all(self, events: Iterable[Event]) -> "Fold":
        for event in events:
            self.apply(event)
        return self

    def apply(self, event: Event) -> None:
        """Fold one event; KeyError for a type nobody taught it."""
        if event["stream_type"] not in HEADED:
            key = (event["stream_type"], event["stream_id"])
            head = {"stream_type": key[0], "stream_id": key[1], "version": event["version"]}
            assert event["version"] == self.stream_heads.get(key, {"version": 0})["version"] + 1
            self.stream_heads[key] = head
        noun, _, verb = event["type"].partition(".")
        folds: dict[str, Callable[[Event, str], None]] = {
            "task": self._task,
            "worker": self._worker,
            "queue": self._queue,
            "key": self._key,
            "schedule": self._relay.schedule,
            "follower": self._relay.follower,
            "retention": self._retention,
            "webhook": self._webhooks.webhook,
            "endpoint": self._webhooks.endpoint,
            "secret": self._webhooks.secret,
        }
        if noun in folds:
            folds[noun](event, verb)
        elif event["stream_type"] == "agent":
            self._agents.apply(event)
        if event["type"] == "agent.deleted":
            self._agent_deleted(event)
        elif event["type"] == "webhook.attempt_failed" and event["data"]["task_id"] in self.background_tasks:
            # A delivery moves neither the version of its task nor what is known of the task's last change.
            self.background_tasks[event["data"]["task_id"]]["webhook_retry_count"] += 1

    def _task(self, event: Event, verb: str) -> None:
        if verb == "enqueued":
            assert event["version"] == 1
            task = self._born(event)
            self.background_tasks[event["stream_id"]] = task
            self._subjects[event["stream_id"]] = task["agent_id"]
            return
        task = self.background_tasks[event["stream_id"]]
        assert event["version"] == task["version"] + 1, "a hole in the stream"
        task |= {"version": event["version"], "changed_position": event["position"]}
        if event["type"] in TERMINAL or event["type"] in AGAIN:
            self._ended(task, event)
        elif verb == "started":
            self._started(task, event)
        elif verb == "progressed":
            self._progressed(task, event["data"])
        elif verb == "retry_requested":
            assert task["status"] in ("failed", "timeout", "cancelled")
            task |= {"status": "pending", "failures": 0, "rescues": 0, "cancellation_requested": False}
            task |= {
                "ready_position": event["position"],
                "queued_position": event["position"],
                "run_at": None,
            }
            task |= {
                "completed_at": None,
                "progress_percentage": 0.0,
                "step": None,
                "result": None,
                "error": None,
            }
        elif verb == "cancellation_requested":
            task["cancellation_requested"] = True
        else:
            assert verb in ("completion_refused", "abandoned"), event["type"]

    def _born(self, event: Event) -> Row:
        data, position = event["data"], event["position"]
        run_at = moment(data.get("run_at"))
        rank = 1 if data["priority"] <= 3 else 2 if data["priority"] <= 7 else 3
        subject = data.get("subject")
        agent = UUID(subject[6:]) if subject and subject.startswith("agent:") else None
        copied = ("task_type", "queue", "priority", "max_attempts", "timeout_seconds")
        optional = ("subject", "unique_key", "webhook_url")
        return {
            **{name: data[name] for name in copied},
            **{name: data.get(name) for name in optional},
            "task_id": event["stream_id"],
            "agent_id": agent,
            "correlation_id": event["correlation_id"],
            "created_at": business_time(event),
            "lane": self.lanes[data["queue"], rank, data.get("limit_group", "")],
            "status": "pending",
            "version": 1,
            "enqueued_position": position,
            "queued_position": position,
            "changed_position": position,
            "ready_position": None if run_at else position,
            "run_at": run_at,
            "cancellation_requested": False,
            "progress_percentage": 0.0,
            **dict.fromkeys(("failures", "rescues", "webhook_retry_count", "attempt"), 0),
            **dict.fromkeys(("started_position", "started_at", "worker_id", "lease", "completed_at")),
            **dict.fromkeys(("step", "checkpoint", "result", "error")),
        }

    def _started(self, task: Row, event: Event) -> None:
        assert task["status"] == "pending", "started twice"
        assert event["data"]["attempt"] == task["attempt"] + 1
        task |= {"status": "running", "lease": event["version"], "attempt": task["attempt"] + 1}
        task |= {"started_position": event["position"], "started_at": business_time(event)}
        task |= {"worker_id": event["data"]["worker_id"], "ready_position": None}
        task |= {"progress_percentage": 0.0, "step": None, "error": None}

    def _progressed(self, task: Row, data: Mapping[str, Any]) -> None:
        assert task["status"] == "running"
        task["progress_percentage"] = data.get("percentage", task["progress_percentage"])
        task["step"] = data.get("step", task["step"])
        task["checkpoint"] = data.get("checkpoint", task["checkpoint"])

    def _ended(self, task: Row, event: Event) -> None:
        data, ended_at = event["data"], business_time(event)
        if "attempt" in data:
            assert task["status"] == "running", "an attempt ended that did not run"
            self.task_attempts[task["task_id"], task["attempt"]] = attempt_of(task, event, ended_at)
        else:
            assert event["type"] == "task.cancelled" and task["status"] == "pending"
        task |= {"status": TERMINAL.get(event["type"], "pending"), "lease": None, "ready_position": None}
        task |= {"result": data.get("result"), "error": data.get("error_message", data.get("error"))}
        task["completed_at"] = ended_at if event["type"] in TERMINAL else None
        if event["type"] in ("task.retry_scheduled", "task.failed", "task.timed_out"):
            task["failures"] += data.get("reason") != "worker_lost"
        if event["type"] in AGAIN:
            task["queued_position"] = event["position"]
        if event["type"] in ("task.released", "task.rescued"):
            task["ready_position"] = task["enqueued_position"]
        if event["type"] in ("task.retry_scheduled", "task.snoozed"):
            task["run_at"] = moment(data["run_at"])
        task["rescues"] += event["type"] == "task.rescued"
        if event["type"] == "task.completed":
            task["progress_percentage"] = 100.0

    def _agent_deleted(self, event: Event) -> None:
        gone = [name for name, agent_id in self._subjects.items() if str(agent_id) == event["stream_id"]]
        for task_id in gone:
            self.background_tasks.pop(task_id, None)
        self.task_attempts = {key: row for key, row in self.task_attempts.items() if key[0] not in gone}

    def _retention(self, event: Event, _: str) -> None:
        names = ("background_tasks", "task_attempts", "coverage_history", "webhook_deliveries")
        retire({name: getattr(self, name, {}) for name in names}, self.retention_totals, event)

    def _worker(self, event: Event, verb: str) -> None:
        data = event["data"]
        if verb == "started":
            told = ("host", "pid", "queues", "task_types", "concurrency", "code_version")
            self.workers[event["stream_id"]] = {
                **{name: data.get(name) for name in told},
                "worker_id": event["stream_id"],
                "status": "live",
                "started_at": event["recorded_at"],
                "stopped_at": None,
                "reason": None,
            }
        else:
            assert verb in ("stopped", "lost")
            ended = {"status": verb, "stopped_at": event["recorded_at"], "reason": data.get("reason")}
            self.workers[event["stream_id"]] |= ended

    def _queue(self, event: Event, verb: str) -> None:
        self.queues[event["stream_id"]] = {
            "queue": event["stream_id"],
            "paused": {"paused": True, "resumed": False}[verb],
            "reason": event["data"].get("reason"),
            "changed_at": event["recorded_at"],
        }

    def _key(self, event: Event, verb: str) -> None:
        if verb == "created":
            self.api_keys[event["stream_id"]] = {
                "name": event["stream_id"],
                "scopes": event["data"]["scopes"],
                "created_at": event["recorded_at"],
                "expires_at": moment(event["data"].get("expires_at")),
                "revoked_at": None,
            }
        else:
            assert verb == "revoked"
            self.api_keys[event["stream_id"]]["revoked_at"] = event["recorded_at"]


def attempt_of(task: Row, event: Event, ended_at: datetime) -> Row:
    """The row that an ended attempt leaves."""
    data = event["data"]
    outcome = "timeout" if event["type"] == "task.timed_out" else event["type"].removeprefix("task.")
    error = data.get("error_type"), data.get("error_message", data.get("error"))
    has_failed = event["type"] in ("task.failed", "task.retry_scheduled", "task.timed_out")
    measured = (ended_at - task["started_at"]).total_seconds() * 1000
    return {
        **{name: task[name] for name in ("task_id", "task_type", "attempt", "worker_id", "started_at")},
        **{name: task[name] for name in ("started_position", "queued_position")},
        "ended_position": event["position"],
        "ended_at": ended_at,
        "duration_ms": data.get("duration_ms", measured),
        "outcome": outcome,
        "error_type": error[0],
        "error_message": error[1],
        "fingerprint": fingerprint(task["task_type"], *error, data.get("error_traceback"))
        if has_failed
        else None,
    }


def business_time(event: Event) -> datetime:
    """When it happened, which may be before it was recorded."""
    return moment(event["data"].get("occurred_at")) or event["recorded_at"]


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
