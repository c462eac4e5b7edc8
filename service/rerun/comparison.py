"""How an attempt ended there and here, and whether that is the same."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.audit.attempts import OPEN
from service.worker.attempt import Ending

# Where an object lay in memory is in many messages, and never the same.
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
# Ends that others decided; the handler cannot come to them by itself.
BY_OTHERS = {
    "cancelled": "the attempt was cancelled there",
    "released": "the worker stopped there and gave the task back",
    "rescued": "the worker died there, and the task was rescued",
    OPEN: "the attempt was still running there when the bundle was made",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: completed, failed, timed_out, snoozed, ...; what it did not say is empty."""

    kind: str
    error_type: str = ""
    message: str = ""
    traceback: str = ""
    result: Any = None
    records: Sequence[Mapping[str, Any]] = ()
    duration_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether both ends are the same, and that in one sentence."""

    is_same: bool
    sentence: str


def there(attempt: Mapping[str, Any] | None, records: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """The end that a bundle tells of; None for a task that was never started."""
    if attempt is None:
        return None
    return Outcome(
        attempt["outcome"],
        attempt.get("error_type", ""),
        attempt.get("error_message") or attempt.get("error") or "",
        attempt.get("error_traceback", ""),
        attempt.get("result"),
        records,
        attempt.get("duration_ms"),
    )


def here(ending: Ending) -> Outcome:
    """The end that the handler came to just now."""
    detail, verdict = ending.verdict.detail, ending.verdict
    records = [json.loads(record) for record in ending.records]
    return Outcome(
        verdict.outcome,
        detail.get("error_type", ""),
        detail.get("error_message", ""),
        detail.get("error_traceback", ""),
        None if verdict.result is None else json.loads(verdict.result),
        [{name: record[name] for name in ("type", "stream_type", "stream_id", "data")} for record in records]
        if verdict.outcome == "completed"
        else [],
        ending.duration_ms,
    )


def compare(then: Outcome | None, now: Outcome) -> Comparison:
    """Is it the same?"""
    if then is None:
        return Comparison(False, f"nothing to compare: it was never started there; {_ended(now)} here")
    if then.kind in BY_OTHERS and then.kind != now.kind:
        return Comparison(False, f"differs: {BY_OTHERS[then.kind]}; {_ended(now)} here")
    if then.kind != now.kind:
        return Comparison(False, f"differs: {_ended(now)} here, {_ended(then)} there")
    if now.kind == "failed":
        return _compare_errors(then, now)
    if now.kind == "completed":
        return _compare_results(then, now)
    return Comparison(True, f"reproduced: {_ended(now)}, as there")


def _compare_errors(then: Outcome, now: Outcome) -> Comparison:
    if then.error_type != now.error_type:
        return Comparison(False, f"differs: {_a(now.error_type)} here, {_a(then.error_type)} there")
    if ADDRESS.sub("0x", then.message) != ADDRESS.sub("0x", now.message):
        return Comparison(False, f"differs: the same {now.error_type} with another message")
    return Comparison(True, f"reproduced: the same {now.error_type} with the same message")


def _compare_results(then: Outcome, now: Outcome) -> Comparison:
    if then.result != now.result:
        return Comparison(False, f"differs: completed with another result{_keys(then.result, now.result)}")
    if list(then.records) != list(now.records):
        return Comparison(False, "differs: completed with the same result, but recorded other events")
    events = f" and the same {len(now.records)} recorded events" if now.records else ""
    return Comparison(True, f"reproduced: completed with the same result{events}")


def _keys(then: Any, now: Any) -> str:
    """Which members of two results differ, when both are objects."""
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return ""
    names = sorted(
        name for name in {*then, *now} if (name in then, then.get(name)) != (name in now, now.get(name))
    )
    return f" (in {', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"


def _ended(outcome: Outcome) -> str:
    words = outcome.kind.replace("_", " ")
    return f"{words} with {_a(outcome.error_type)}" if outcome.kind == "failed" else words


def _a(name: str) -> str:
    return f"an {name}" if name[:1] in set("AEIOU") else f"a {name}"
