"""Short lives for tests of what is told about them: one connection, production functions, pinned times."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
TYPES = '[{"task_type": "noop", "code_version": "1"}]'


def at(seconds: float) -> datetime:
    """So many seconds after the start of the world."""
    return START + timedelta(seconds=seconds)


class Told:
    """A connection whose transaction is rolled back, and what happens in it."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection
        self.rows("SELECT publish_task_types(%s)", TYPES)

    def rows(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return self.connection.execute(statement.encode(), arguments or None).fetchall()

    def worker(
        self, seconds: float, worker_id: str = "w-1", queues: str = "{default}", slots: int = 1
    ) -> None:
        self.rows(
            "SELECT start_worker(%s, 'h', 1, %s, '{noop}', %s, NULL, %s)",
            *(worker_id, queues, slots, at(seconds)),
        )

    def enqueue(self, seconds: float, task_id: str = "t-1", **fields: Any) -> str:
        task = {"task_type": "noop", "task_id": task_id} | fields
        self.rows(
            "SELECT * FROM enqueue_tasks(%s, 'api:ops', 'request-1', at => %s)", Jsonb([task]), at(seconds)
        )
        return task_id

    def claim(self, seconds: float, worker_id: str = "w-1", slots: int = 1) -> None:
        self.rows(
            "SELECT claim_tasks(%s, '{default}', '{noop}', %s, at => %s)", worker_id, slots, at(seconds)
        )

    def end(self, seconds: float, outcome: str, task_id: str = "t-1", **detail: Any) -> None:
        """End the attempt that runs, as its worker."""
        self.rows(
            "SELECT end_attempts(t.worker_id, ARRAY[t.task_id], ARRAY[t.lease], ARRAY[%s], ARRAY[%s::jsonb],"
            " at => %s) FROM background_tasks t WHERE t.task_id = %s",
            *(outcome, Jsonb(detail), at(seconds), task_id),
        )

    def progress(self, seconds: float, percentage: float, task_id: str = "t-1") -> None:
        self.rows(
            "SELECT progress_tasks(t.worker_id, ARRAY[t.task_id], ARRAY[t.lease], ARRAY[%s::real],"
            " '{reading}', ARRAY[NULL]::jsonb[], at => %s) FROM background_tasks t WHERE t.task_id = %s",
            *(percentage, at(seconds), task_id),
        )

    def rescue(self, seconds: float, worker_id: str = "w-1", max_rescues: int = 3) -> None:
        self.rows(
            "SELECT rescue_tasks(w.worker_id, w.seen_at, %s, 'relay', at => %s) FROM workers w"
            " WHERE w.worker_id = %s",
            *(max_rescues, at(seconds), worker_id),
        )

    def pause(self, seconds: float, queue: str = "default", reason: str | None = "provider down") -> None:
        self.rows("SELECT pause_queue(%s, %s, 'api:ops', %s)", queue, reason, at(seconds))

    def resume(self, seconds: float, queue: str = "default") -> None:
        self.rows("SELECT resume_queue(%s, actor => 'api:ops', at => %s)", queue, at(seconds))

    def history(self, task_id: str = "t-1") -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM task_history(%s)", task_id)

    def time_spent(self, seconds: float, task_id: str = "t-1") -> dict[str, float]:
        """Seconds by phase, in their order."""
        rows = self.rows("SELECT * FROM task_time_spent(%s, NULL, %s)", task_id, at(seconds))
        return {row["phase"]: round(row["seconds"], 6) for row in rows}

    def why(self, seconds: float, task_id: str = "t-1") -> dict[str, Any]:
        [row] = self.rows("SELECT * FROM why_pending(%s, %s)", task_id, at(seconds))
        return row


@contextmanager
def telling(dsn: str) -> Iterator[Told]:
    """A world that is gone afterwards."""
    connect = psycopg.connect(dsn, autocommit=True, row_factory=dict_row)
    with connect as connection, connection.transaction(force_rollback=True):
        yield Told(connection)
