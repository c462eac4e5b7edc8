"""The second fold of webhooks to send and of the endpoints they go to."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
Event = Mapping[str, Any]

OF_THE_TASK = ("event_position", "task_id", "task_type", "event_type", "url")
OF_AN_ATTEMPT = ("http_status", "latency_ms", "error")
STATUS = {"paused": "paused", "resumed": "active", "disabled": "disabled"}


class WebhookFold:
    """Deliveries by id, endpoints by name, and how many attempts failed of the deliveries of each task."""

    def __init__(self) -> None:
        self.webhook_deliveries: dict[str, Row] = {}
        self.webhook_endpoints: dict[str, Row] = {}
        self._ever: dict[str, Row] = {}

    def webhook(self, event: Event, verb: str) -> None:
        """Fold one event of a delivery's stream; KeyError for a type nobody taught it."""
        if event["version"] == 1:
            assert verb in ("requested", "skipped")
            self._ever[event["stream_id"]] = self._born(event, verb)
            self.webhook_deliveries[event["stream_id"]] = self._ever[event["stream_id"]]
            return
        if verb == "requested":  # also when retention had taken the row
            self.webhook_deliveries[event["stream_id"]] = self._ever[event["stream_id"]]
        row, data = self.webhook_deliveries[event["stream_id"]], event["data"]
        assert event["version"] == row["version"] + 1, "a hole in the stream"
        row |= {"version": event["version"], "changed_position": event["position"]}
        row["changed_at"] = event["recorded_at"]
        {
            "requested": self._requested_again,
            "attempt_failed": self._attempt_failed,
            "delivered": self._delivered,
            "abandoned": self._abandoned,
        }[verb](row, data, event["recorded_at"])

    def endpoint(self, event: Event, verb: str) -> None:
        """Fold one event of an endpoint's stream."""
        self.webhook_endpoints[event["stream_id"]] = {
            "endpoint": event["stream_id"],
            "status": STATUS[verb],
            "reason": event["data"].get("reason"),
            "changed_at": event["recorded_at"],
            "version": event["version"],
        }

    def secret(self, event: Event, verb: str) -> None:
        """A rotation stands on the stream of an endpoint, and says nothing of it but that it is longer."""
        assert verb == "rotated"
        if event["stream_id"] in self.webhook_endpoints:
            self.webhook_endpoints[event["stream_id"]]["version"] = event["version"]

    def _born(self, event: Event, verb: str) -> Row:
        data, at = event["data"], event["recorded_at"]
        pending = verb == "requested"
        return {
            **{name: data[name] for name in OF_THE_TASK},
            **dict.fromkeys(OF_AN_ATTEMPT),
            "delivery_id": event["stream_id"],
            "requested_position": event["position"],
            "endpoint": data.get("endpoint", ""),
            "sequence": data["sequence"] if pending else None,
            "api_key": data.get("api_key"),
            "correlation_id": event["correlation_id"],
            "status": "pending" if pending else "skipped",
            "version": 1,
            "changed_position": event["position"],
            "created_at": at,
            "changed_at": at,
            "next_attempt_at": at if pending else None,
            "finished_at": None if pending else at,
            "attempts": 0,
            "failures": 0,
            "redeliveries": 0,
            "reason": data.get("reason"),
        }

    def _requested_again(self, row: Row, data: Row, at: datetime) -> None:
        assert row["status"] != "pending", "requested while it was being sent"
        assert row["sequence"] in (None, data["sequence"]), "another number"
        row |= {"sequence": data["sequence"], "status": "pending", "next_attempt_at": at, "failures": 0}
        row |= dict.fromkeys((*OF_AN_ATTEMPT, "finished_at"))
        row |= {"redeliveries": row["redeliveries"] + 1, "reason": data.get("reason")}

    def _attempt_failed(self, row: Row, data: Row, at: datetime) -> None:
        self._attempted(row, data)
        row["failures"] += not data.get("probe", False)
        row["next_attempt_at"] = at + timedelta(milliseconds=data.get("next_delay_ms", 0))

    def _delivered(self, row: Row, data: Row, at: datetime) -> None:
        self._attempted(row, data)
        assert data["attempts"] == row["attempts"]
        row |= {"status": "delivered", "next_attempt_at": None, "finished_at": at}

    def _abandoned(self, row: Row, data: Row, at: datetime) -> None:
        assert row["status"] == "pending" and data["attempts"] == row["attempts"]
        row |= {"status": "abandoned", "next_attempt_at": None, "finished_at": at, "reason": data["reason"]}

    def _attempted(self, row: Row, data: Row) -> None:
        assert row["status"] == "pending", "an attempt of what is not sent"
        assert data["attempt"] == row["attempts"] + 1, "an attempt was left out, or made twice"
        row["attempts"] += 1
        row |= {name: data.get(name) for name in OF_AN_ATTEMPT}
