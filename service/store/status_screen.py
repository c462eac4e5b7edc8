"""The state of an installation on one screen: what needs a person first, then everything else."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import click

from service.model.error_group import ErrorGroup
from service.store.console import short
from service.store.status import Status

LABEL = 13
SHOWN_QUEUES = 20
QUEUE_COLUMNS = ("claimable", "waiting", "running", "oldest")
CLASSES = ("high", "medium", "low")
Row = Sequence[object]


def screen(status: Status) -> Iterator[str]:
    """Line by line; click takes the colours out where the output is no terminal."""
    yield f"annals {status.version}   PostgreSQL {status.server_version.split()[0]}   {short(status.at)} UTC"
    if status.is_well:
        yield click.style("All is well.", fg="green", bold=True)
    for alarm in status.reasons:
        yield click.style(f"! {alarm.text}", fg="red", bold=True) + click.style(f"  {alarm.hint}", dim=True)
    yield ""
    yield from _fleet(status)
    yield from _log(status)
    yield from _work(status)
    yield from _table("Queues", ("queue", "class", *QUEUE_COLUMNS), _queues(status))
    followers = status.followers
    behind = [(each.name, each.lag_positions, _span(each.lag_seconds), each.parked) for each in followers]
    yield from _table("Followers", ("follower", "behind", "for", "parked"), behind)
    yield from _table("Errors of 24 hours", ("id", "type", "times", "last", "error"), _errors(status))


def _fleet(status: Status) -> Iterator[str]:
    live = [worker for worker in status.workers if not worker.silent]
    silent = len(status.workers) - len(live)
    slots = f"{sum(each.busy_slots for each in live)} of {sum(each.slots for each in live)} slots busy"
    versions = Counter(each.code_version or "?" for each in live)
    told = [f"{len(live)} live", *([f"{silent} silent"] if silent else []), slots]
    told += [f"{version} x{count}" for version, count in sorted(versions.items())]
    longest = max((each.working_seconds or 0 for each in status.workers), default=0)
    yield _line("Workers", *told, *([f"longest task {_span(longest)}"] if longest else []))
    leader = next((relay.relay_id for relay in status.relays if relay.leads), None)
    others = sum(not relay.leads and not relay.silent for relay in status.relays)
    leads = f"{leader} leads in term {status.term}" if leader else "nobody leads"
    yield _line("Relays", leads, f"{others} standing by")


def _log(status: Status) -> Iterator[str]:
    log = status.log
    told = [f"position {log.head:,}", f"{log.head - log.settled:,} not settled", f"{log.bytes / 1e6:,.1f} MB"]
    if log.holder_pid:
        told.append(
            f"open append of process {log.holder_pid} ({log.holder_role}) for {_span(log.held_seconds)}"
        )
    yield _line("Log", *told)


def _work(status: Status) -> Iterator[str]:
    hour = status.last_hour
    failed = _share(hour.failed, hour.completed + hour.failed)
    yield _line(
        f"Since {hour.since:%H:%M}", f"{hour.completed:,} completed", f"{hour.failed:,} failed{failed}"
    )
    all_attempts = hour.delivered + hour.failed_attempts
    told = [f"{status.open_deliveries:,} open"]
    told += [f"oldest {_span(status.oldest_delivery_seconds)}"] if status.open_deliveries else []
    told += [f"{hour.failed_attempts:,} of {all_attempts:,} attempts failed"]
    told += [f"{each.endpoint} {each.status}" for each in status.endpoints]
    yield _line("Webhooks", *told)
    overdue = [each.name for each in status.schedules if each.overdue_seconds > 0]
    enabled = sum(each.enabled for each in status.schedules)
    late = [f"overdue: {', '.join(overdue)}"] if overdue else []
    yield _line("Schedules", f"{enabled} enabled", f"{len(status.schedules) - enabled} disabled", *late)
    for paused in status.paused:
        yield _line("Paused", paused.queue, *([paused.reason] if paused.reason else []))


def _errors(status: Status) -> list[Row]:
    return [
        (each.fingerprint, each.task_type, each.occurrences, short(each.last_seen_at), _error(each))
        for each in status.errors
    ]


def _queues(status: Status) -> list[Row]:
    """Those in which something is; the longest first when there are many."""
    found = [each for each in status.queues if each.claimable or each.waiting or each.running]
    found = sorted(found, key=lambda each: -each.claimable)[:SHOWN_QUEUES]
    return [
        (each.queue, each.task_class, each.claimable, each.waiting, each.running, _span(each.oldest_seconds))
        for each in sorted(found, key=lambda each: (each.queue, CLASSES.index(each.task_class)))
    ]


def _table(title: str, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """A title and aligned columns, numbers to the right; nothing without rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numeric = [all(_is_number(cell) for cell in column) for column in zip(*cells, strict=True)]
    align: list[Callable[[str, int], str]] = [str.rjust if right else str.ljust for right in numeric]
    yield ""
    yield click.style(title, bold=True)
    for line in (list(columns), *cells):
        text = "  ".join(put(cell, width) for put, cell, width in zip(align, line, widths, strict=True))
        yield f"  {click.style(text, dim=True) if line[0] == columns[0] else text}".rstrip()


def _line(label: str, *told: str) -> str:
    return f"{click.style(label.ljust(LABEL), bold=True)}{'   '.join(told)}"


def _cell(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(cell: str) -> bool:
    return cell == "?" or cell.replace(",", "").isdigit()


def _error(group: ErrorGroup) -> str:
    text = f"{group.error_type}: {group.pattern}" if group.error_type else group.pattern
    room = 60 if sys.stdout.isatty() else 200
    text = " ".join(text.split())
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""


def _span(seconds: float) -> str:
    """A length of time in at most two units."""
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} {int(seconds % length // part)} {smaller}"
    return f"{seconds:.1f} s"
