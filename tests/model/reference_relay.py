"""The second fold of schedules and of what followers parked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Row = dict[str, Any]
Event = Mapping[str, Any]
NEVER_FIRED = ("last_due_at", "last_fired_at", "last_task_id", "last_error")


class RelayFold:
    """Schedules by name, and parked_events by follower and position."""

    def __init__(self) -> None:
        self.schedules: dict[str, Row] = {}
        self.parked_events: dict[tuple[str, int], Row] = {}

    def schedule(self, event: Event, verb: str) -> None:
        """Fold one event of a schedule's stream; KeyError for a type nobody taught it."""
        name, data, at = event["stream_id"], event["data"], event["recorded_at"]
        if verb == "created":
            assert event["version"] == 1
            self.schedules[name] = {"name": name, "created_at": at, "counts_from": at, "configured": None}
            self.schedules[name] |= dict.fromkeys(NEVER_FIRED)
            self._define(self.schedules[name], event)
            return
        row = self.schedules[name]
        assert event["version"] == row["version"] + 1, "a hole in the stream"
        if verb == "changed":
            told = data["definition"]
            is_due_otherwise = (row["cron"], row["time_zone"]) != (told["cron"], told["time_zone"])
            if is_due_otherwise or (told["enabled"] and not row["enabled"]):
                row["counts_from"] = at
            self._define(row, event)
            return
        assert verb == "fired", event["type"]
        row |= {"version": event["version"], "last_fired_at": at}
        row |= {"last_task_id": data.get("task_id"), "last_error": data.get("error")}
        if not data.get("by_hand"):
            due_at = datetime.fromisoformat(data["due_at"])
            row |= {"last_due_at": due_at, "counts_from": due_at, "next_due_at": _moment(data)}

    def follower(self, event: Event, verb: str) -> None:
        """Fold one event of a follower's stream."""
        data = event["data"]
        key = event["stream_id"], data["position"]
        if verb == "parked":
            times = self.parked_events.get(key, {"times": 0})["times"] + 1
            row = {"follower": key[0], "position": key[1], "error": data["error"], "times": times}
            self.parked_events[key] = row | {"parked_at": event["recorded_at"]}
        else:
            assert verb == "resumed", event["type"]
            del self.parked_events[key]

    def _define(self, row: Row, event: Event) -> None:
        data = event["data"]
        row |= {"queue": None, "priority": None} | data["definition"]
        row |= {"version": event["version"], "changed_at": event["recorded_at"]}
        row["next_due_at"] = _moment(data)
        if "configured" in data:
            row["configured"] = data["definition"] if data["configured"] else None


def _moment(data: Row) -> datetime | None:
    return datetime.fromisoformat(data["next_due_at"]) if "next_due_at" in data else None
