"""What goes into a debug bundle: one task, as the log and the database know it, read in one snapshot."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service import __version__
from service.audit.attempts import FAILURES, attempts, chosen
from service.audit.bundle_file import as_json
from service.audit.environment import environment, secrets_of
from service.audit.lines import Digest, Header, RawEvent, Selection, print_event, print_time
from service.audit.reader import QUERIES, snapshot
from service.audit.sinks import LineSink
from service.errors import NotFound
from service.settings import Settings
from service.store.pool import Database
from service.store.wire import Connection

# Bounds of what is told of other streams: how far behind an event of the task its effects are looked for
# (while an attempt runs, up to its end), and how many events are kept.
REACH, MOST_RELATED = 10_000, 1000

Members = dict[str, bytes]


async def collect(db: Database, settings: Settings, task_id: str) -> tuple[Members, dict[str, Any]]:
    """The members of a task's bundle and the facts of its manifest. Raises NotFound.

    Works from the log: also for a task whose row is gone.
    """
    async with snapshot(db) as connection:
        events = await _events(connection, "bundle_events", task_id)
        if not events:
            raise NotFound(f"Task not found: {task_id}", hint="annals tasks list shows what there is.")
        told = await _events(connection, "bundle_deliveries", task_id)
        related = await _events(connection, "bundle_related", task_id, REACH, MOST_RELATED)
        states = await connection.fetch(QUERIES["bundle_states"], task_id)
        life = [_with_data(event) for event in events]
        task_type = life[0]["data"]["task_type"]
        workers = {event["data"]["worker_id"] for event in life if event["type"] == "task.started"}
        around = await connection.fetchrow(
            QUERIES["bundle_surroundings"], task_id, task_type, sorted(workers)
        )
    assert around is not None, "a query of scalars gives one row"
    now = datetime.now(UTC)
    task = _task(life, {row["version"]: row["state"] for row in states}, dict(around))
    facts = {
        "task_id": task_id,
        "task_type": task_type,
        "made_at": print_time(now),
        "service_version": __version__,
        "epoch": around["epoch"],
        "events": len(events),
        "related": len(related),
        "related_complete": len(related) < MOST_RELATED,
    }
    owner = next((entry["owner"] for entry in around["task_types"]), None)
    members = {
        "README.txt": _readme(task, facts).encode(),
        "task.json": as_json(task),
        "events.jsonl": _export(sorted([*events, *told]), around["epoch"], now),
        "related.jsonl": _lines(related),
        "environment.json": as_json(environment(settings, owner, around["postgresql"])),
    }
    return members, facts


def exposed(members: Mapping[str, bytes], settings: Settings) -> list[tuple[str, str]]:
    """Secrets in force that somebody wrote into the log, as (setting, member); events are not changed."""
    found = {
        (path, name)
        for path, value in secrets_of(settings)
        for name, data in members.items()
        if value.encode() in data or json.dumps(value, ensure_ascii=False)[1:-1].encode() in data
    }
    return sorted(found)


async def _events(connection: Connection, query: str, *arguments: Any) -> list[RawEvent]:
    return [RawEvent(*row) for row in await connection.fetch(QUERIES[query], *arguments)]


def _with_data(event: RawEvent) -> dict[str, Any]:
    """An event as Python values, its time as text."""
    values = event._asdict()
    return values | {"data": json.loads(event.data), "recorded_at": print_time(event.recorded_at)}


def _task(
    events: list[dict[str, Any]], states: Mapping[int, Mapping[str, Any]], around: Mapping[str, Any]
) -> dict[str, Any]:
    first = events[0]
    return {
        "task_id": first["stream_id"],
        "task_type": first["data"]["task_type"],
        "params": first["data"]["params"],
        "trace": first["trace"],
        "row_is_gone": around["row"] is None,
        "row": around["row"] or states[max(states)],
        "attempts": attempts(events, states),
        "types": around["task_types"],
        "workers": around["workers"],
    }


def _export(events: Sequence[RawEvent], epoch: str, now: datetime) -> bytes:
    """The events of the task and its webhooks as `annals audit export --task` writes them, for an import."""
    selected = Selection(tasks=(events[0].stream_id,))
    header = Header(epoch, events[0].position, events[-1].position, __version__, now, selected)
    file = io.BytesIO()
    sink = LineSink(file, header)
    sink.write(events)
    sink.finish()
    return file.getvalue()


def _lines(events: Iterable[RawEvent]) -> bytes:
    digest = Digest()
    return "".join(f"{print_event(event, digest.add(event))}\n" for event in events).encode()


def _readme(task: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """What a person reads first: how it ended, with every traceback, and what to do with the file."""
    row, failed = task["row"], [one for one in task["attempts"] if one["outcome"] in FAILURES]
    gone = " (its row is gone; told from the log)" if task["row_is_gone"] else ""
    last = chosen(task["attempts"])
    parts = [
        f"Task {task['task_id']} of type {task['task_type']}, {row['status']}{gone}\n"
        f"made {facts['made_at']} by Annals {facts['service_version']}; events: {facts['events']}, "
        f"attempts: {len(task['attempts'])}, events on other streams: {facts['related']}\n",
        "Run it again, without a database and without effects outside:\n"
        "  annals replay-local THIS_FILE --import MODULE"
        + (f"      (attempt {last['attempt']} unless --attempt says another)\n" if last else "\n")
        + "Or look at it in an empty database of your own (annals migrate):\n"
        "  unzip -p THIS_FILE events.jsonl | annals audit import -\n",
        "It holds what the log holds of the task: parameters, results, error messages.\n"
        "Look at them before you pass it on.\n",
    ]
    for one in failed:
        told = one.get("error_traceback") or one.get("error_message") or one.get("error") or one["outcome"]
        parts.append(f"Attempt {one['attempt']} ({one['outcome']}, {one['ended_at']})\n{told}\n")
    return "\n".join(parts)
