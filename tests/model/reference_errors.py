"""The second way to count errors: from the attempts of the reference fold, one by one."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]


def groups(attempts: Iterable[Row], after: int, until: int) -> dict[str, Row]:
    """What errors_between says of each group seen up to `until`, by fingerprint."""
    found: dict[str, list[Row]] = {}
    for attempt in sorted(attempts, key=lambda row: row["ended_position"]):
        if attempt["fingerprint"] and attempt["ended_position"] <= until:
            found.setdefault(attempt["fingerprint"], []).append(attempt)
    return {fingerprint: _group(rows, after) for fingerprint, rows in found.items()}


def _group(rows: list[Row], after: int) -> Row:
    first, last = rows[0], rows[-1]
    within = [row for row in rows if row["ended_position"] > after]
    retried = sum(row["outcome"] == "retry_scheduled" for row in within)
    return {
        "task_type": last["task_type"],
        "error_type": last["error_type"],
        "state": "quiet" if not within else "new" if first["ended_position"] > after else "ongoing",
        "occurrences": len(within),
        "tasks": len({row["task_id"] for row in within}),
        "retried": retried,
        "final": len(within) - retried,
        "first_position": first["ended_position"],
        "first_seen_at": first["ended_at"],
        "last_position": last["ended_position"],
        "last_seen_at": last["ended_at"],
        "last_task_id": last["task_id"],
        "last_attempt": last["attempt"],
        "last_message": last["error_message"],
    }
