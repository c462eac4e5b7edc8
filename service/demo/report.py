"""What the demo's tables say: rows made of the service's answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from service.demo.screen import ACCENT, STATUS_STYLES, meter
from service.demo.watch import Run

Columns = tuple[tuple[str, str], ...]
Row = list[RenderableType]

RESULTS: Columns = (
    ("Agent", "left"),
    ("Covers", "left"),
    ("Nodes", "right"),
    ("Documents", "right"),
    ("Chunks", "right"),
    ("Coverage", "left"),
)
GAPS: Columns = (
    ("Agent", "left"),
    ("Nodes below 50 %", "right"),
    ("Documents missing", "right"),
    ("First", "left"),
)
LIFE: Columns = (
    ("Position", "right"),
    ("After", "right"),
    ("Event", "left"),
    ("By", "left"),
    ("Facts", "left"),
)
PACKAGES: Columns = (("Package", "left"), ("Task", "left"), ("", "left"), ("Answer", "left"))
FIRST_GAPS = 2
# Facts that a person reads in a biography, in this order, of whatever event has them.
FACTS = (
    "queue",
    "priority",
    "attempt",
    "percentage",
    "step",
    "duration_ms",
    "reason",
    "error_message",
    "error",
)


def result(agent: Mapping[str, Any], run: Run, measured: Mapping[str, Any]) -> Row:
    """One agent's coverage, or why there is none."""
    name = Text(agent["name"], style="bold")
    if not measured:
        return [name, agent["scope_description"], "", "", "", Text(run.error or run.status, style="red")]
    return [
        name,
        agent["scope_description"],
        f"{len(measured['node_coverage'])}",
        f"{measured['total_documents']}",
        f"{measured['total_chunks']}",
        meter(measured["coverage_percent"]),
    ]


def gap(
    agent: Mapping[str, Any], gaps: Sequence[Mapping[str, Any]], paths: Mapping[str, tuple[str, ...]]
) -> Row:
    """One agent's gaps; the service gives the biggest first. `paths` are those of nodes by id."""
    missing = sum(one["missing_docs"] for one in gaps)
    first = [f"{one['missing_docs']} for {_place(paths[one['node_id']])}" for one in gaps[:FIRST_GAPS]]
    return [Text(agent["name"], style="bold"), f"{len(gaps)}", f"{missing}", ", ".join(first)]


def _place(path: tuple[str, ...]) -> str:
    """A label by itself says little: "1.10" of what?"""
    return " :: ".join(path[-2:])


def package(run: Run, result: object) -> Row:
    """What one task said, or what went wrong."""
    style = STATUS_STYLES.get(run.status, "red")
    wrong = ": ".join(part for part in (run.error_type, run.error) if part)
    answer = Text(wrong, style=style) if wrong else Text(str(result or ""))
    return [
        Text(run.name, style="bold"),
        Text(run.task_id, style="dim"),
        Text(run.status, style=style),
        answer,
    ]


def life(events: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The events of one stream in order, each with the time since the first."""
    began = _moment(events[0]) if events else None
    return [
        [
            Text(str(event["position"]), style="dim"),
            f"{(_moment(event) - (began or _moment(event))).total_seconds() * 1000:.0f} ms",
            Text(event["type"], style=ACCENT),
            event["actor"],
            Text(_facts(event["data"]), style="dim"),
        ]
        for event in events
    ]


def _moment(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["recorded_at"])


def _facts(data: Mapping[str, Any]) -> str:
    result = data.get("result")
    facts = [f"{name} {_short(data[name])}" for name in FACTS if data.get(name) not in (None, "")]
    if isinstance(result, Mapping) and "coverage_percent" in result:
        facts.append(f"coverage {result['coverage_percent']} %")
    return ", ".join(facts)


def _short(value: object) -> str:
    text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
