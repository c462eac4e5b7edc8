"""Relays are killed and paused while they remove rows: each batch is whole or not there, and comes once."""

import asyncio
import os
import random
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos import test_relays
from tests.chaos.ledger import assert_audit_finds_nothing
from tests.chaos.test_relays import Connection, db, leader, relays

__all__ = ["db"]
pytestmark = pytest.mark.timeout(600)
HASTE = {"ANNALS_RETENTION__INTERVAL_SECONDS": "0.1", "ANNALS_RETENTION__BATCH": "5"}
OVER = """
    SELECT cancel_task(e.task_id, at => now() - interval '2 days')
    FROM enqueue_tasks((SELECT jsonb_agg('{"task_type": "noop"}'::jsonb) FROM generate_series(1, $1)),
                       at => now() - interval '2 days') e
"""
LEFT = "SELECT count(*) FROM background_tasks"
BATCHES = """
    SELECT (data ->> 'from_position')::bigint AS low, (data ->> 'up_to_position')::bigint AS high,
           (data ->> 'removed')::bigint AS removed
    FROM events WHERE type = 'retention.applied' ORDER BY position
"""


async def test_struck_leaders_remove_every_row_once(
    database: str, db: Connection, tmp_path: Path, intensity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HASTE.items():
        monkeypatch.setitem(test_relays.HASTE, name, value)
    strikes, tasks = 6 * intensity, 200 * 6 * intensity
    for _ in range(tasks // 200):
        await db.fetch(OVER, 200)
    with relays(database, tmp_path / "relays.log", 2) as running:
        pid, term = await leader(db)
        for strike in range(strikes):
            await asyncio.sleep(random.uniform(0.05, 0.4))  # the moment of the strike, by chance
            if strike % 2:
                os.kill(pid, signal.SIGSTOP)
                paused, (pid, term) = pid, await leader(db, term)
                os.kill(paused, signal.SIGCONT)
            else:
                running.kill(pid)
                pid, term = await leader(db, term)
        async with asyncio.timeout(120):
            while await db.fetchval(LEFT):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # they are other processes, and tell only the database
        assert await asyncio.to_thread(running.stop) == {0}
        assert running.surprises() == []
    batches = await db.fetch(BATCHES)
    assert sum(batch["removed"] for batch in batches) == tasks
    assert all(a["high"] <= b["low"] for a, b in pairwise(batches))
    await asyncio.to_thread(assert_audit_finds_nothing, database)
