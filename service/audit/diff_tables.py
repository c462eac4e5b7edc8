"""A diff as a person reads it: one sentence, then only the tables in which something is."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from service.audit.timeline import duration
from service.cli import Context
from service.store.console import short
from service.store.diff import Diff, Row

# More would only push the headline off the screen; with --json every row is there.
SHOWN_ROWS = 40
COUNTS = (
    *("created", "started", "completed", "failed", "timed_out", "cancelled", "retry_scheduled"),
    *("retried", "rescued", "snoozed", "released"),
)
TIMES = ("duration_p50_ms", "duration_p95_ms", "waiting_p50_ms", "waiting_p95_ms")
STATUSES = ("pending", "running", "completed", "failed", "timeout", "cancelled")
ERROR_COLUMNS = ["state", "id", "type", "error", "message", "where", "before", "count", "tasks"]
EVENT_COLUMNS = ["what", "subject", "actor", "times", "last_at", "reason"]


def show(context: Context, found: Diff) -> None:
    """Print the headline, and the sections that have rows."""
    context.say(headline(found))
    counted = [name for name in COUNTS if found.total(name)]
    rows: Iterable[Sequence[object]] = (
        [row["task_type"], *(row[name] for name in counted)] for row in found.tasks
    )
    _table(context, "Tasks", ["type", *counted], rows)
    _table(
        context,
        "Duration and waiting of attempts",
        ["type", *(name.removesuffix("_ms") for name in TIMES)],
        _times(found),
    )
    _table(context, "Errors", ERROR_COLUMNS, map(_error, found.errors))
    _table(context, "Queues, before → after", ["queue", *STATUSES], _queues(found))
    _table(
        context, "Coverage", ["agent", "name", "before", "after", "measured"], map(_coverage, found.coverage)
    )
    _table(context, "What else happened", EVENT_COLUMNS, map(_event, found.events))


def headline(found: Diff) -> str:
    """What changed, in a sentence or two."""
    ends = " and ".join((_moment(found.earlier, found.earlier_at), _moment(found.later, found.later_at)))
    if not found.count:
        return f"Nothing changed between {ends}."
    new, quiet = (sum(row["state"] == state for row in found.errors) for state in ("new", "gone quiet"))
    backlog = [
        sum(row[end] for row in found.queues if row["status"] == "pending") for end in ("before", "after")
    ]
    told = [f"{found.total(name):,} {name.replace('_', ' ')}" for name in COUNTS[2:6] if found.total(name)]
    parts = [f"{found.total('created'):,} tasks created", *told]
    parts += [f"{new:,} new {'error' if new == 1 else 'errors'}"] if new else []
    parts += [f"{quiet:,} gone quiet"] if quiet else []
    parts += ["pending {:,} → {:,}".format(*backlog)] if backlog[0] != backlog[1] else []
    took = ""
    if found.earlier_at and found.later_at and found.later_at > found.earlier_at:
        took = f" in {duration(found.later_at - found.earlier_at)}"
    return f"{found.count:,} events between {ends}{took}: {', '.join(parts)}."


def _moment(position: int, at: datetime | None) -> str:
    return (
        f"position {position:,} ({short(at)}Z)" if at else f"position {position:,} (before the first event)"
    )


def _table(context: Context, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One section; nothing when it has no rows. A table for a pipe has no title of its own."""
    if not (shown := list(rows)):
        return
    context.say("" if sys.stdout.isatty() else f"\n{title}")
    context.table(title, columns, shown[:SHOWN_ROWS])
    if len(shown) > SHOWN_ROWS:
        context.say(f"... and {len(shown) - SHOWN_ROWS:,} more; --json has all of them.")


def _times(found: Diff) -> Iterator[Sequence[object]]:
    for row in found.tasks:
        if any(row[name] is not None for name in TIMES):
            yield [row["task_type"], *(_spoken(row[name]) for name in TIMES)]


def _spoken(milliseconds: float | None) -> str:
    return "" if milliseconds is None else duration(timedelta(milliseconds=milliseconds))


def _queues(found: Diff) -> Iterator[Sequence[object]]:
    """A row for each queue in which a count changed."""
    queues: dict[str, dict[str, tuple[int, int]]] = {}
    for row in found.queues:
        queues.setdefault(row["queue"], {})[row["status"]] = row["before"], row["after"]
    for queue, counts in queues.items():
        if any(before != after for before, after in counts.values()):
            yield [queue, *(_change(*counts.get(status, (0, 0))) for status in STATUSES)]


def _change(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def _error(row: Row) -> Sequence[object]:
    names = (
        "state",
        "fingerprint",
        "task_type",
        "error_type",
        "pattern",
        "frame",
        "before",
        "occurrences",
        "tasks",
    )
    return [row[name] for name in names]


def _coverage(row: Row) -> Sequence[object]:
    return [row[name] for name in ("agent_id", "name", "before", "after", "measured")]


def _event(row: Row) -> Sequence[object]:
    return [row["what"], row["subject"], row["actor"], row["times"], short(row["last_at"]), row["reason"]]
