"""A replay as a person reads it: one line for each event, and what it changed below."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from service.audit.replay import Step

COLOURS = {
    "pending": "yellow",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "timeout": "red",
    "cancelled": "magenta",
    "gone": "dim",
}
LONGEST_VALUE = 60
# The first event sets everything; what a person set is in its data.
AT_BIRTH = {
    "task_type",
    "queue",
    "priority",
    "subject",
    "run_at",
    "unique_key",
    "webhook_url",
    "correlation_id",
}


def show(console: Console, task_id: str, steps: Sequence[Step]) -> None:
    """Print the timeline."""
    first, last = steps[0], steps[-1]
    life = duration(last.recorded_at - first.recorded_at)
    console.print(Text.assemble((task_id, "bold"), f"  {len(steps)} events in {life}, now ", _status(last)))
    for text in lines(steps):
        console.print(text, soft_wrap=True)


def lines(steps: Sequence[Step]) -> Iterator[Text]:
    """Two lines for each event: what happened, and what it changed (when anything)."""
    width = max(len(step.type) for step in steps)
    for step in steps:
        at = step.recorded_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
        gap = f"+{duration(step.gap)}" if step.gap is not None else ""
        yield Text.assemble(
            ("● ", COLOURS.get(step.status, "white")),
            f"{at} ",
            (f"{gap:>9}  ", "dim"),
            (f"{step.type:<{width}}  ", "bold"),
            _status(step),
            (f"  {step.actor}  #{step.position}", "dim"),
        )
        if told := described(step):
            yield Text.assemble(("│ ", "dim"), " " * 36, told)


def described(step: Step) -> str:
    """What an event changed, in one line."""
    changed = step.changes.items()
    if step.version == 1:
        return ", ".join(
            f"{name} {_short(new)}" for name, (_, new) in changed if name in AT_BIRTH and new is not None
        )
    return ", ".join(
        f"{name} {_short(new)}" if old in (None, "", False, 0) else f"{name} {_short(old)} → {_short(new)}"
        for name, (old, new) in changed
    )


def duration(gap: timedelta) -> str:
    """A span as people say it: 3.2 ms, 41 s, 5 min, 2.5 h, 3 d."""
    seconds = gap.total_seconds()
    for unit, size, above in (("d", 86400, 172800), ("h", 3600, 7200), ("min", 60, 120), ("s", 1, 1)):
        if seconds >= above:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"


def _status(step: Step) -> tuple[str, str]:
    return step.status, COLOURS.get(step.status, "white")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
