"""What retention takes, once more: by looking at every row, and not by walking the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Row = dict[str, Any]
Event = Mapping[str, Any]
OVER = {"tasks": ("completed", "cancelled"), "dead_letters": ("failed", "timeout")}


def retire(models: Mapping[str, dict[Any, Row]], totals: dict[str, Row], event: Event) -> None:
    """Take the rows of one batch out of the read models, and count them."""
    data = event["data"]
    what = data["what"]
    assert event["type"] == "retention.applied"
    assert event["stream_id"] == what
    if what != "idempotency_keys":
        model, changed, statuses = {
            "attempts": ("task_attempts", "ended_position", None),
            "coverage_history": ("coverage_history", "history_id", None),
            "deliveries": ("webhook_deliveries", "changed_position", ("delivered", "abandoned", "skipped")),
        }.get(what, ("background_tasks", "changed_position", OVER.get(what)))
        low, high = data["from_position"], data["up_to_position"]
        assert low < high < event["position"]
        gone = [
            key
            for key, row in models[model].items()
            if low < row[changed] <= high and (statuses is None or row["status"] in statuses)
        ]
        assert len(gone) == data["removed"], "the event says how many went"
        for key in gone:
            del models[model][key]
    before = totals.get(what, {"removed": 0, "batches": 0})
    totals[what] = {
        "what": what,
        "removed": before["removed"] + data["removed"],
        "batches": before["batches"] + 1,
        "up_to_position": data.get("up_to_position"),
        "cutoff": datetime.fromisoformat(data["cutoff"]),
        "applied_at": event["recorded_at"],
    }
