"""Lives for forgers to tamper with, lived through the functions of production.

Every task has the same life, in two attempts: 1 task.enqueued, 2 task.started, 3 task.progressed,
4 task.retry_scheduled, 5 task.started, 6 task.completed. Every agent: 1 agent.created, 2 agent.targets_set,
3 agent.queried, 4 coverage.measured, 5 agent.updated. Every queue is paused, resumed and paused; every key
created and revoked; every worker started and stopped; every schedule set and fired; every follower parks an
event; every webhook is asked for, fails, is given up, asked for again, delivered; every endpoint is disabled;
every thing, a stream without a row, is told of twice.
"""

import asyncio
import json
import uuid
from collections.abc import Iterable
from typing import Any

import psycopg

from service.audit.findings import Finding
from service.audit.rebuild import rebuild
from service.audit.verify import start, verify
from service.settings import load
from service.store.pool import Database

NODE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
NAMESPACE = uuid.UUID(NODE)
BORN = {"name": "a", "taxonomy_version": "1", "taxonomy_node_ids": [NODE]}
BORN |= {"retrieval_config": {}, "features_config": {}}
SCHEDULE = {"cron": "0 3 * * *", "task_type": "noop"}
FIRED = {"due_at": "2026-01-02T03:00:00Z", "next_due_at": "2026-01-03T03:00:00Z", "task_id": "task-1"}
ASKED = {"url": "https://x.example/h", "endpoint": "https://x.example/h", "sequence": 1, "task_type": "noop"}
ASKED |= {"event_position": 1, "event_type": "task.completed", "api_key": "ci"}
FAILED = {"attempt": 1, "http_status": 503, "latency_ms": 12, "error": "busy"}
MEASURED = {"measured_at": "2026-01-02T03:04:05Z", "overall_coverage": 40, "total_documents": 3}
MEASURED |= {"total_chunks": 9, "version": "1"}
AGENT_LIFE = [
    ("agent.created", BORN),
    ("agent.targets_set", {"targets": {NODE: 10}}),
    ("agent.queried", {"latency_ms": 12.5, "results": 2}),
    ("coverage.measured", MEASURED),
    ("agent.updated", {"name": "b"}),
]


def agent_id(name: str) -> str:
    """The id of the agent of a forgery."""
    return str(uuid.uuid5(NAMESPACE, name))


class Lives:
    """One connection that lives them. `spare` are positions that were handed out and never used, by stage."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self.spare: list[list[int]] = []
        noop = [{"task_type": "noop", "code_version": "1", "backoff": {"kind": "none"}}]
        self.run("SELECT publish_task_types(%s)", json.dumps(noop))

    def run(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """All rows of one statement; none for what gives none."""
        cursor = self._connection.execute(statement.encode(), arguments or None)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def tasks(self, ids: list[str]) -> None:
        """Live the life of these tasks, all at once; after each stage some positions stay unused."""
        count = len(ids)
        enqueue = "SELECT enqueue_task('noop', '{\"n\": 1}', task_id => t, correlation_id => 'c-' || t)"
        self.run(f"{enqueue} FROM unnest(%s::text[]) t", ids)
        leases = self._claim(count)
        self._skip(count)
        progress = "SELECT progress_tasks('w', %s, %s, %s::real[], %s, %s::jsonb[])"
        self.run(progress, ids, leases, [50] * count, ["half"] * count, ['{"seen": 1}'] * count)
        self._end(ids, leases, "failed", {"error_type": "E", "error_message": "no", "duration_ms": 5})
        self._end(ids, self._claim(count), "completed", {"result": {"n": 1}, "duration_ms": 7})
        self._skip(count)

    def others(self, names: Iterable[str]) -> None:
        """Live the lives of an agent, a worker, a queue, and so on of each name."""
        for name in names:
            for kind, data in AGENT_LIFE:
                self.tell("agent", agent_id(name), kind, data)
            self.run("SELECT start_worker(%s, 'h', 1, '{default}', '{noop}', 4, '1')", name)
            self.run("SELECT stop_worker(%s)", name)
            for write in ("pause_queue", "resume_queue", "pause_queue"):
                self.run(f"SELECT {write}(%s, 'deploy')", name)
            self.run("SELECT create_key(%s, sha256(%s::bytea), '{read}', now())", name, name)
            self.run("SELECT revoke_key(%s)", name)
            self.run("SELECT set_schedule(%s, %s)", name, json.dumps(SCHEDULE))
            self.tell("schedule", name, "schedule.fired", FIRED)
            self.tell("follower", name, "follower.parked", {"follower": name, "position": 1, "error": "no"})
            self.webhook(name)
            self.tell("endpoint", name, "endpoint.disabled", {"endpoint": name, "reason": "gone"})
            self.tell("thing", name, "thing.told", {})
            self.tell("thing", name, "thing.told", {})

    def webhook(self, name: str) -> None:
        """A delivery: 1 requested, 2 attempt_failed, 3 abandoned, 4 requested, 5 delivered."""
        of = {"task_id": name, "endpoint": ASKED["endpoint"]}
        self.tell("webhook", name, "webhook.requested", ASKED | of)
        self.tell("webhook", name, "webhook.attempt_failed", FAILED | of)
        self.tell("webhook", name, "webhook.abandoned", {"attempts": 1, "reason": "no attempt is left"} | of)
        again = {"redelivery": 1, "attempts_before": 1, "first_position": 1, "reason": "lost"}
        self.tell("webhook", name, "webhook.requested", ASKED | of | again)
        taken = {"attempt": 2, "attempts": 2, "http_status": 200, "latency_ms": 9}
        self.tell("webhook", name, "webhook.delivered", taken | of)

    def tell(self, stream_type: str, stream_id: str, kind: str, data: dict[str, Any]) -> None:
        """Append one event."""
        draft = "ROW(%s, %s, %s, %s::jsonb, NULL, NULL, NULL, NULL)::event_draft"
        self.run(f"SELECT append_events(ARRAY[{draft}])", stream_type, stream_id, kind, json.dumps(data))

    def _claim(self, count: int) -> list[int]:
        rows = self.run("SELECT lease FROM claim_tasks('w', '{default}', '{noop}', %s)", count)
        assert len(rows) == count
        return [row[0] for row in rows]

    def _end(self, ids: list[str], leases: list[int], outcome: str, detail: dict[str, Any]) -> None:
        many = ids, leases, [outcome] * len(ids), [json.dumps(detail)] * len(ids)
        self.run("SELECT end_attempts('w', %s, %s, %s, %s::jsonb[])", *many)

    def _skip(self, count: int) -> None:
        rows = self.run("SELECT nextval('events_position') FROM generate_series(1, %s)", count)
        self.spare.append([row[0] for row in rows])


def verified(dsn: str) -> list[Finding]:
    """What `annals audit verify` finds."""

    async def main() -> list[Finding]:
        async with await Database.open(load({}).database, dsn) as db:
            return [finding async for finding in verify(db, await start(db))]

    return asyncio.run(main())


def rebuilt(dsn: str, read_model: str) -> list[Finding]:
    """What `annals audit rebuild` replaced."""

    async def main() -> list[Finding]:
        async with await Database.open(load({}).database, dsn) as db:
            return [finding async for finding in rebuild(db, await start(db, [read_model]))]

    return asyncio.run(main())
