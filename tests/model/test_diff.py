"""What the functions diff_* say of two positions of a random history is what Python finds in its events."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.concurrency import settle_at_once, without
from tests.model.database import Session, session
from tests.model.history import Operation, programs, run
from tests.model.reference_errors import groups
from tests.model.reference_fold import Fold, business_time, moment
from tests.model.world import TYPES, World

EXAMPLES = 300 if os.environ.get("ANNALS_MODEL") == "long" else 25
Row = dict[str, Any]
Events = list[Row]
COUNTED = {
    "task.enqueued": "created",
    "task.retry_requested": "retried",
    **{f"task.{verb}": verb for verb in ("started", "completed", "failed", "timed_out", "cancelled")},
    **{f"task.{verb}": verb for verb in ("retry_scheduled", "rescued", "snoozed", "released")},
}
QUEUING = {
    f"task.{verb}"
    for verb in ("enqueued", "retry_scheduled", "snoozed", "released", "rescued", "retry_requested")
}
MEASURED = {"task.completed", "task.failed", "task.timed_out", "task.retry_scheduled"}
TOLD_BY_TYPE = {
    f"task.{verb}"
    for verb in (
        "cancelled",
        "cancellation_requested",
        "retry_requested",
        "rescued",
        "completion_refused",
        "abandoned",
    )
}
NAMED = ("queue", "worker", "agent", "key", "projection")


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        settle_at_once(s)
        # A history that is rolled back is never settled; that a diff asks for it is tested with commits.
        without(s, "require_settled", 'require_settled."position" > _settled', "false")
        yield s


@given(program=programs, parts=st.lists(st.integers(0, 1000), min_size=5, max_size=5))
@settings(max_examples=EXAMPLES)
def test_a_diff_is_what_python_finds_in_the_events(
    world_session: Session, program: list[Operation], parts: list[int]
) -> None:
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        run(world, program)
        events, lanes = s.events(), s.lanes()
        # Positions are not given back by a rollback: this history has drawn its own.
        start, length = events[0]["position"] - 1, len(events)
        ends = [start + length * part // 1000 for part in sorted(parts)]
        kept = Fold(lanes).apply_all(events)
        for earlier, later in pairwise(ends):
            told = by(s, "diff_errors", earlier, later, "fingerprint")
            for row in told.values():
                del row["pattern"], row["frame"]  # tested by themselves
            assert told == errors(kept, earlier, later)
            assert by(s, "diff_tasks", earlier, later, "task_type") == tasks(events, earlier, later)
            assert by(s, "diff_queues", earlier, later, "queue", "status") == queues(
                lanes, events, earlier, later
            )
            assert by(s, "diff_coverage", earlier, later, "agent_id") == coverage(kept, earlier, later)
            told = by(s, "diff_events", earlier, later, "what", "subject", "actor")
            counts = {key: (row["times"], row["last_position"]) for key, row in told.items()}
            assert counts == rest(events, earlier, later)


def by(s: Session, function: str, earlier: int, later: int, *keys: str) -> dict[Any, Row]:
    rows = s.rows(f"SELECT * FROM {function}(%s, %s)", earlier, later)
    found = {tuple(row.pop(key) for key in keys): row for row in rows}
    assert len(found) == len(rows), "a row twice"
    return found


def types_of(events: Events) -> dict[str, str]:
    return {e["stream_id"]: e["data"]["task_type"] for e in events if e["type"] == "task.enqueued"}


def tasks(events: Events, earlier: int, later: int) -> dict[Any, Row]:
    types, queued, started = types_of(events), dict[str, Any](), dict[str, Any]()
    counts: dict[str, Counter[str]] = {}
    durations: dict[str, list[float]] = {}
    waits: dict[str, list[float]] = {}
    for e in events:
        if e["stream_type"] != "task" or e["type"] == "task.progressed":
            continue
        name, within = types[e["stream_id"]], earlier < e["position"] <= later
        if within:
            counts.setdefault(name, Counter())[COUNTED.get(e["type"], "else")] += 1
        if e["type"] in QUEUING:
            run_at = moment(e["data"].get("run_at"))
            queued[e["stream_id"]] = max(filter(None, (business_time(e), run_at)))
        if e["type"] == "task.started":
            started[e["stream_id"]] = business_time(e)
            waited = milliseconds(business_time(e) - queued[e["stream_id"]])
            waits.setdefault(name, []).extend([max(0.0, waited)] if within else [])
        if e["type"] in MEASURED and within:
            took = milliseconds(business_time(e) - started[e["stream_id"]])
            durations.setdefault(name, []).append(e["data"].get("duration_ms", took))
    return {
        (name,): {column: count[column] for column in COUNTED.values()}
        | percentiles("duration", durations.get(name))
        | percentiles("waiting", waits.get(name))
        for name, count in counts.items()
    }


def milliseconds(span: Any) -> float:
    return float(span.total_seconds() * 1000)


def percentiles(name: str, values: list[float] | None) -> Row:
    found: Row = {f"{name}_p50_ms": None, f"{name}_p95_ms": None}
    if values:
        ordered = sorted(values)
        for part in (50, 95):
            place = (len(ordered) - 1) * part / 100
            low, share = int(place), place % 1
            high = ordered[min(low + 1, len(ordered) - 1)]
            found[f"{name}_p{part}_ms"] = pytest.approx(
                ordered[low] + (high - ordered[low]) * share, abs=0.01
            )
    return found


def errors(kept: Fold, earlier: int, later: int) -> dict[Any, Row]:
    attempts = list(kept.task_attempts.values())
    before = groups(attempts, 2 * earlier - later, earlier)
    found = {}
    for fingerprint, group in groups(attempts, earlier, later).items():
        earlier_count = before.get(fingerprint, {"occurrences": 0})["occurrences"]
        if group["occurrences"] + earlier_count == 0:
            continue
        copied = ("task_type", "error_type", "occurrences", "tasks", "final", "last_task_id", "last_message")
        state = "gone quiet" if group["state"] == "quiet" else group["state"]
        found[fingerprint,] = {name: group[name] for name in copied} | {
            "state": state,
            "before": earlier_count,
        }
    return found


def queues(lanes: Any, events: Events, earlier: int, later: int) -> dict[Any, Row]:
    counts = [
        Counter((row["queue"], row["status"]) for row in fold.background_tasks.values())
        for fold in (
            Fold(lanes).apply_all(e for e in events if e["position"] <= end) for end in (earlier, later)
        )
    ]
    return {key: {"before": counts[0][key], "after": counts[1][key]} for key in counts[0] | counts[1]}


def coverage(kept: Fold, earlier: int, later: int) -> dict[Any, Row]:
    found: dict[Any, Row] = {}
    for position, row in sorted(kept.coverage_history.items()):
        if position <= later:
            one = found.setdefault((row["agent_id"],), {"before": None, "after": None, "measured": 0})
            one["before" if position <= earlier else "after"] = row["overall_coverage"]
            one["measured"] += position > earlier
    names = {key: agent["name"] for key, agent in kept.agents.items()}
    return {key: row | {"name": names.get(key[0])} for key, row in found.items() if row["measured"]}


def rest(events: Events, earlier: int, later: int) -> dict[Any, tuple[int, int]]:
    types, found = types_of(events), dict[Any, tuple[int, int]]()
    for e in events:
        if not earlier < e["position"] <= later or (
            e["stream_type"] == "task" and e["type"] not in TOLD_BY_TYPE
        ):
            continue
        kind = e["stream_type"]
        subject = (
            types[e["stream_id"]] if kind == "task" else e["stream_id"] if kind in NAMED else f"{kind}/*"
        )
        key = e["type"], subject, e["actor"]
        found[key] = found.get(key, (0, 0))[0] + 1, e["position"]
    return found
