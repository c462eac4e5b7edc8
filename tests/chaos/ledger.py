"""What must hold when the storm is over, read from the log alone."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import asyncpg

from tests.chaos.fleet import ROOT

TERMINAL = ("task.completed", "task.failed", "task.timed_out", "task.cancelled")
# A stale report may come after the end; it changes nothing.
AFTERTHOUGHTS = ("task.completion_refused",)


class Ledger:
    """Reads the log of one database, on a connection of its own that nothing torments."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def until_ended(self, number: int, seconds: float) -> None:
        """Wait until so many tasks have a terminal event."""
        async with asyncio.timeout(seconds):
            while await self._ended() < number:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # the processes that end them are killed at random: none can tell

    async def streams(self) -> dict[str, list[str]]:
        """The types of each task's events, in order."""
        rows = await self.connection.fetch(
            """
            SELECT stream_id, array_agg(type ORDER BY version) AS types,
                   max(version) AS last, count(*) AS number
            FROM events WHERE stream_type = 'task' GROUP BY stream_id
            """
        )
        for row in rows:
            assert row["last"] == row["number"], f"{row['stream_id']} has a hole in its versions"
        return {row["stream_id"]: row["types"] for row in rows}

    async def count(self, kind: str) -> int:
        """How many events of a type there are."""
        return int(await self.connection.fetchval("SELECT count(*) FROM events WHERE type = $1", kind))

    async def assert_each_ended_once(self, task_ids: list[str]) -> None:
        """Nothing lost, nothing twice: one terminal event for each task, the last of its stream."""
        streams = await self.streams()
        assert set(task_ids) <= set(streams), "a task that was accepted is not in the log"
        for task_id in task_ids:
            types = [kind for kind in streams[task_id] if kind not in AFTERTHOUGHTS]
            assert Counter(types)["task.enqueued"] == 1 and types[0] == "task.enqueued", (task_id, types)
            assert [kind for kind in types if kind in TERMINAL] == ["task.completed"], (task_id, types)
            assert types[-1] == "task.completed", (task_id, types)

    async def assert_each_effect_once(self, task_ids: list[str]) -> None:
        """What a task recorded is there exactly once, in the transaction of its success."""
        rows = await self.connection.fetch(
            """
            SELECT d.stream_id, count(*) AS number, bool_and(c.position IS NOT NULL) AS together
            FROM events d
            LEFT JOIN events c ON c.stream_type = 'task' AND c.stream_id = d.stream_id
                AND c.type = 'task.completed' AND c.recorded_at = d.recorded_at
                AND c.data -> 'attempt' = d.data -> 'attempt'
            WHERE d.type = 'chaos.done'
            GROUP BY d.stream_id
            """
        )
        effects = {row["stream_id"]: (row["number"], row["together"]) for row in rows}
        assert effects == dict.fromkeys(task_ids, (1, True))

    async def assert_nothing_is_left(self) -> None:
        """The read model agrees: nothing waits, nothing runs."""
        left: list[Any] = await self.connection.fetch(
            "SELECT task_id, status, worker_id FROM background_tasks WHERE status IN ('pending', 'running')"
        )
        assert left == []

    async def _ended(self) -> int:
        return int(
            await self.connection.fetchval(
                "SELECT count(DISTINCT stream_id) FROM events WHERE type = ANY ($1)", list(TERMINAL)
            )
        )


def assert_audit_finds_nothing(dsn: str) -> None:
    """`annals audit verify` folds the log again and compares every row."""
    environment = dict(os.environ) | {"DATABASE_URL": dsn}
    command = [sys.executable, "-m", "service", "audit", "verify"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
