"""A life as a person reads it at a terminal: what it is, a line for each event, where the time went."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from service.audit.replay import Life, last_failure, runs
from service.model.biography import PhaseTime, Step

COLOURS = {
    "pending": "yellow",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "timeout": "red",
    "cancelled": "magenta",
    "gone": "dim",
}
PHASE_COLOURS = {
    "running": "cyan",
    "queued": "yellow",
    "paused": "magenta",
    "lost": "red",
    "backoff": "red",
    "delivering": "blue",
}
LONGEST_VALUE, LONGEST_REASON = 60, 160
BAR = 40
# The line of an event tells these by itself.
TOLD_BY_LINE = {"status", "attempt", "correlation_id"}
MARGIN = " " * 24


def show(console: Console, life: Life, *, full: bool = False) -> None:
    """Print a life; `full` shortens nothing, folds nothing and shows every traceback."""
    for text in (*heading(life, full), *events(life.steps, full), *time_table(life.time_spent)):
        console.print(text, soft_wrap=True)


def heading(life: Life, full: bool) -> Iterator[Text]:
    """What the task is: id, type and status; the facts that are given; how long it took."""
    facts, first, last = life.facts, life.steps[0], life.steps[-1]
    yield Text.assemble((life.task_id, "bold"), f"  {facts.pop('task_type') or ''}  ", _status(last))
    params = facts.pop("params")
    yield Text(
        "  ".join(f"{name} {_short(value, full)}" for name, value in facts.items() if value is not None)
    )
    if params:
        yield Text(f"params {_short(params, full, 4 * LONGEST_VALUE)}")
    many = "1 event" if len(life.steps) == 1 else f"{len(life.steps):,} events"
    yield Text(f"{many} in {duration(last.recorded_at - first.recorded_at)}", "dim")


def events(steps: Sequence[Step], full: bool) -> Iterator[Text]:
    """A line for each event, under it why and what it changed; the last failure with its traceback."""
    failure, day = last_failure(steps), ""
    width = max(len(step.type) for step in steps)
    for run in [[step] for step in steps] if full else runs(steps):
        step, at = run[-1], run[0].recorded_at.astimezone(UTC)
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            yield Text(f"\n{day} UTC", "bold dim")
        yield _line(run, at, width)
        yield from _below(run, full, with_traceback=full or step is failure)


def _line(run: Sequence[Step], at: datetime, width: int) -> Text:
    step = run[-1]
    gap = f"+{duration(run[0].gap)}" if run[0].gap is not None else ""
    attempt = f" {step.attempt}" if step.status == "running" else ""
    many = (f"{len(run):,} times in {duration(step.recorded_at - run[0].recorded_at)}  ", "bold")
    return Text.assemble(
        f"{at:%H:%M:%S.%f}"[:-3],
        (f"{gap:>10}  ", "dim"),
        ("● ", _status(step)[1]),
        (f"{step.type:<{width}}  ", "bold"),
        (f"{_status(step)[0] + attempt:<11} ", _status(step)[1]),
        *([many] if len(run) > 1 else []),
        (f"{step.actor}  #{step.position}", "dim"),
    )


def _below(run: Sequence[Step], full: bool, with_traceback: bool) -> Iterator[Text]:
    step = run[-1]
    if step.reason and len(run) == 1:
        reason = step.reason if full else _cut(step.reason, LONGEST_REASON)
        yield Text.assemble((f"{MARGIN}│ ", "dim"), (reason, "red" if step.data.get("error_type") else ""))
    if told := described(run, full):
        yield Text.assemble((f"{MARGIN}│ ", "dim"), (told, "dim"))
    traceback = details(step)
    if traceback and with_traceback:
        for line in traceback.rstrip().splitlines():
            yield Text.assemble((f"{MARGIN}│   ", "dim"), (line, "red"))
    elif traceback:
        yield Text(f"{MARGIN}│ --full shows its traceback", "dim")


def details(step: Step) -> str | None:
    """What a failure says beyond its first line: the traceback, else a message of several lines."""
    message = str(step.data.get("error_message") or "")
    traceback = step.data.get("error_traceback") or (message if "\n" in message else None)
    return None if traceback is None else str(traceback)


def described(run: Sequence[Step], full: bool = False) -> str:
    """What an event changed, or several of one type together, in one line."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for step in run:
        for name, (old, new) in step.changes.items():
            before.setdefault(name, old)
            after[name] = new
    step = run[-1]
    hidden = TOLD_BY_LINE | ({"error"} if step.reason else set())
    # The heading has told what the first event set.
    hidden |= set(after) - {"run_at"} if step.version == 1 else set()
    shown = {name: (before[name], new) for name, new in sorted(after.items()) if name not in hidden}
    return ", ".join(_change(name, old, new, full) for name, (old, new) in shown.items())


def _change(name: str, old: Any, new: Any, full: bool) -> str:
    if new is None:
        return f"{name} cleared"
    before = "" if old in (None, "", False, 0) else f"{_short(old, full)} → "
    return f"{name} {before}{_short(new, full)}"


def time_table(phases: Sequence[PhaseTime]) -> Iterator[Text]:
    """Where the time went: phase, share as a bar and a number, and the time itself."""
    if not phases:
        return
    whole = timedelta(seconds=sum(phase.seconds for phase in phases))
    yield Text(f"\nWhere the time went: {duration(whole)}", "bold")
    width = max(len(phase.phase) for phase in phases)
    for phase in phases:
        filled = max(1, round(phase.share * BAR))
        yield Text.assemble(
            f"  {phase.phase.replace('_', ' '):<{width}}  ",
            ("█" * filled, PHASE_COLOURS.get(phase.phase, "white")),
            ("░" * (BAR - filled), "dim"),
            f" {phase.share:6.1%}  {duration(timedelta(seconds=phase.seconds))}",
        )


def duration(gap: timedelta) -> str:
    """A span as people say it: 3.2 ms, 41 s, 5 min, 2.5 h, 3 d."""
    seconds = gap.total_seconds()
    for unit, size, above in (("d", 86400, 172800), ("h", 3600, 7200), ("min", 60, 120), ("s", 1, 1)):
        if seconds >= above:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"


def _status(step: Step) -> tuple[str, str]:
    status = step.status or "gone"
    return status, COLOURS.get(status, "white")


def _short(value: Any, full: bool, longest: int = LONGEST_VALUE) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.endswith("+00:00"):  # a time, as PostgreSQL prints it in JSON
        text = value.replace("+00:00", "Z")
    return text if full else _cut(text.replace("\n", " "), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
