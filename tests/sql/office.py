"""An hour in a small office, pinned to the minute: the known data that the questions to psql are asked about.

NOON is when the questions are asked. Everything is done by the functions that production uses.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGENT = "5f3c0c5e-0000-4000-8000-000000000000"
NODE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
TYPES = [
    {"task_type": "send", "code_version": "1", "queue": "mail", "owner": "office.mail"},
    {"task_type": "resize", "code_version": "1", "queue": "images", "owner": "office.images"},
    {"task_type": "report", "code_version": "1", "queue": "default", "owner": "office.reports"},
]
# Resolved before pg_catalog's, so that what a question calls now is noon.
PINNED_CLOCK = f"""
    CREATE SCHEMA pinned;
    CREATE FUNCTION pinned.now() RETURNS timestamptz LANGUAGE sql RETURN '{NOON.isoformat()}'::timestamptz;
"""


def build(dsn: str) -> None:
    """Fill an empty database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(PINNED_CLOCK.encode())
        office = Office(connection)
        office.open()
        office.mail()
        office.images()
        office.people()
        office.webhooks()


class Office:
    """Calls of SQL functions at times before noon, given as (minutes, seconds)."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def call(self, statement: str, minutes: float, *values: Any) -> Any:
        """The first column of a statement whose last argument is the time."""
        time = NOON - timedelta(minutes=minutes)
        row = self._connection.execute(statement.encode(), [*values, time]).fetchone()
        return row[0] if row else None

    def enqueue(self, minutes: float, task_type: str, task_id: str, **given: Any) -> int:
        """Enqueue; gives the position."""
        names = "".join(f", {name} => %s" for name in given)
        statement = f"SELECT enqueue_task(%s, task_id => %s{names}, at => %s)"
        self.call(statement, minutes, task_type, task_id, *given.values())
        return int(self.call("SELECT max(position), %s FROM events", 0))

    def claim(self, minutes: float, worker: str, slots: int = 1) -> None:
        statement = "SELECT count(*) FROM claim_tasks(%s, '{mail,images}', '{send,resize}', %s, at => %s)"
        assert self.call(statement, minutes, worker, slots) == slots

    def end(
        self, minutes: float, worker: str, ids: Sequence[str], outcome: str, lease: int, **detail: Any
    ) -> None:
        statement = "SELECT count(*) FROM end_attempts(%s, %s, %s, %s, %s::jsonb[], at => %s)"
        count = len(ids)
        details = [json.dumps(detail)] * count
        self.call(statement, minutes, worker, list(ids), [lease] * count, [outcome] * count, details)

    def start(self, minutes: float, worker: str, host: str) -> None:
        statement = "SELECT start_worker(%s, %s, 1, '{mail,images}', '{send,resize}', 4, at => %s)"
        self.call(statement, minutes, worker, host)

    def open(self) -> None:
        """Yesterday: a key that is gone by now. Today: the types, two hosts, two keys."""
        self._connection.execute("SELECT publish_task_types(%s)", [json.dumps(TYPES)])
        self.call("SELECT create_key('old', sha256('old'), '{read}', actor => 'psql:admin', at => %s)", 1500)
        self.call("SELECT revoke_key('old', 'left the company', actor => 'psql:admin', at => %s)", 1440)
        self.start(59, "w-new", "new-host")
        self.start(59, "w-old", "old-host")
        self.start(59, "w-gone", "old-host")
        self.call("SELECT create_key('shop', sha256('shop'), '{write}', actor => 'psql:admin', at => %s)", 58)

    def mail(self) -> None:
        """Two retries of which one helps, a task given up and retried by hand, a request and its chain."""
        mail: dict[str, Any] = {"actor": "api:shop", "correlation_id": "req-1", "subject": "order:1"}
        mail |= {"webhook_url": "https://shop.example/mails?token=t"}
        first = self.enqueue(50, "send", "mail-1", params='{"to": "a"}', unique_key="order-1", **mail)
        self.enqueue(50, "send", "mail-2", causation_id=first, **mail)
        self.enqueue(49, "send", "mail-3", max_attempts=2, actor="api:shop", subject="order:2")
        self.claim(48, "w-new", 3)
        self.end(47, "w-new", ["mail-1"], "completed", 2, result={"id": 1}, duration_ms=60_000)
        refused = {"error_type": "SMTPError", "error_message": "451 try again", "delay_seconds": 60}
        self.end(46, "w-new", ["mail-2", "mail-3"], "failed", 2, duration_ms=120_000, **refused)
        self.claim(44, "w-new", 2)
        self.end(43, "w-new", ["mail-2"], "completed", 4, duration_ms=60_000)
        self.end(42, "w-new", ["mail-3"], "failed", 4, duration_ms=120_000, **refused)
        self.call("SELECT retry_task('mail-3', 'mail server is back', actor => 'api:shop', at => %s)", 40)
        self.claim(39, "w-new")
        self.end(38, "w-new", ["mail-3"], "completed", 7, duration_ms=60_000)

    def images(self) -> None:
        """The old host takes three times as long, a worker dies with a task, and is heard of once more."""
        for n in range(1, 5):
            hook = f"https://{'album' if n < 3 else 'old'}.example/"
            self.enqueue(36, "resize", f"image-{n}", subject=f"album:{n % 2}", webhook_url=hook)
        self.claim(35, "w-new", 2)
        self.claim(35, "w-old", 1)
        self.claim(35, "w-gone", 1)
        self.end(34.5, "w-new", ["image-1", "image-2"], "completed", 2, duration_ms=30_000)
        seen = "(SELECT seen_at FROM workers WHERE worker_id = 'w-gone')"
        self.call(
            f"SELECT count(*) FROM rescue_tasks('w-gone', {seen}, actor => 'worker:w-new', at => %s)", 34
        )
        self.end(33.5, "w-old", ["image-3"], "completed", 2, duration_ms=90_000)
        self.end(33, "w-gone", ["image-4"], "completed", 2)
        self.claim(32, "w-new")
        self.end(31, "w-new", ["image-4"], "completed", 5, result={"big": "x" * 1000}, duration_ms=60_000)

    def people(self) -> None:
        """Cancels, a pause, an agent that is measured twice, a task that still runs and others that wait."""
        born = {"name": "Kim", "taxonomy_version": "1", "taxonomy_node_ids": [NODE], "retrieval_config": {}}
        nodes = [{"node_id": NODE, "label": "Law", "canonical_path": ["Law"]}]
        self._connection.execute("SELECT import_taxonomy('1', %s)", [json.dumps(nodes)])
        draft = "ARRAY[ROW('agent', %s, 'agent.created', %s, NULL, NULL, NULL, NULL)::event_draft]"
        data = json.dumps(born | {"features_config": {}})
        self.call(f"SELECT append_events({draft}, 'api:shop', at => %s)", 30, AGENT, data)
        for minutes, percent, documents in ((29, 40, 4), (20, 46.67, 14)):
            self.measure(minutes, percent, documents)
        self.enqueue(15, "send", "mail-4")
        self.enqueue(15, "send", "mail-5", priority=1)
        self.call("SELECT cancel_task('mail-4', 'sent twice', actor => 'psql:ann', at => %s)", 14)
        self.claim(12, "w-old")
        progress = (
            "SELECT progress_tasks('w-old', '{mail-5}', '{2}', '{40}', '{attachments}', '{NULL}', at => %s)"
        )
        self.call(progress, 11)
        self.call("SELECT cancel_task('mail-5', 'wrong address', actor => 'api:shop', at => %s)", 10)
        self.call("SELECT pause_queue('images', 'new disks', actor => 'psql:ann', at => %s)", 9)
        self.enqueue(8, "resize", "image-5", unique_key="album-2")
        self.enqueue(7, "report", "report-1", run_at=datetime(2126, 1, 1, tzinfo=UTC))

    def webhooks(self) -> None:
        """The shop hears of its mails, of one late; the albums' server is down, the old one is gone."""
        (lead,) = self._connection.execute("SELECT leads_term FROM lead_relay('r', 'h', 1, NULL, 3600)")
        change = "SELECT change_endpoint('https://{}.example/', '{}', '{}', '{}', at => %s)"
        self.call(change.format("old", "disabled", "moved", "psql:ann"), 31)
        ends = "ARRAY(SELECT webhook_ends(0, 1000))"
        asked = f"SELECT count(*) FROM request_webhooks({ends}, actor => 'relay', at => %s)"
        assert self.call(asked, 30) == 6
        self.attempt(29.9, "mail-1", 1, "delivered", lead[0], http_status=204, latency_ms=20)
        self.attempt(29.9, "mail-2", 1, "failed", lead[0], http_status=503, latency_ms=9, next_delay_ms=1000)
        self.attempt(29.8, "mail-2", 2, "delivered", lead[0], http_status=204, latency_ms=20)
        refused: dict[str, Any] = {"error": "the connection was refused", "latency_ms": 2}
        self.attempt(29.9, "image-1", 1, "failed", lead[0], **refused, reason="no attempt is left")
        self.attempt(29.9, "image-2", 1, "failed", lead[0], **refused, next_delay_ms=1000)
        self.call(change.format("album", "paused", "it fails", "relay"), 29)

    def attempt(
        self, minutes: float, task_id: str, attempt: int, outcome: str, term: int, **detail: Any
    ) -> None:
        """One attempt to deliver the webhook of a task."""
        ids = "ARRAY(SELECT delivery_id FROM webhook_deliveries WHERE task_id = %s)"
        told = self.call(
            f"SELECT outcome FROM end_delivery_attempts({ids}, ARRAY[%s], ARRAY[%s], ARRAY[%s::jsonb],"
            " 'r', %s, at => %s)",
            *(minutes, task_id, attempt, outcome, json.dumps(detail), term),
        )
        assert told == "recorded", told

    def measure(self, minutes: float, percent: float, documents: int) -> None:
        measured_at = (NOON - timedelta(minutes=minutes)).isoformat()
        coverage = {"measured_at": measured_at, "overall_coverage": percent, "version": "1"}
        coverage |= {"total_documents": documents, "total_chunks": 2 * documents}
        self.call(
            "SELECT task_id FROM measure_coverage(%s, %s, '{}', %s, actor => 'api:shop', at => %s)",
            minutes,
            AGENT,
            json.dumps(coverage),
            measured_at,
        )
