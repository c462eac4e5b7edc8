"""The relay counts the log on as it grows, so that the past's queue depths are cheap."""

import asyncio

import pytest

from service.lifecycle import Supervisor
from service.relay.depth_marks import keep_counting
from service.settings import load
from service.store.pool import Database
from service.store.travel import PastStore
from tests.api_server import running


async def test_the_log_is_counted_as_it_grows(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.relay.depth_marks.PAUSE_SECONDS", 0.01)
    async with running(database) as api, await Database.open(load({}).database, database) as db:
        tasks = [{"task_type": "noop"}] * 2500
        assert (await api.call("POST", "/tasks/bulk", {"tasks": tasks})).status == 202
        async with Supervisor(asyncio.Event()) as supervisor:
            supervisor.start("counting", keep_counting(PastStore(db)))
            while not await api.sql("SELECT count(*) FROM depth_marks"):
                pass  # each look waits for the database, and the counting goes on meanwhile
        [queue] = (await api.call("GET", "/queues?at=2400")).json["items"]
        assert queue["pending"] == await api.sql(
            "SELECT count(*) FROM events WHERE type = 'task.enqueued' AND position <= 2400"
        )


class Tried(PastStore):
    """Tells when it was asked for the fourth time."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.often, self._times = asyncio.Event(), 0

    async def extend_depth_marks(self) -> int:
        self._times += 1
        if self._times > 3:
            self.often.set()
        return await super().extend_depth_marks()


async def test_an_outage_is_told_once_while_the_log_waits_to_be_counted(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("service.relay.depth_marks.PAUSE_SECONDS", 0)
    db = await Database.open(load({}).database, database)
    await db.close()
    past = Tried(db)
    async with Supervisor(asyncio.Event()) as supervisor:
        supervisor.start("counting", keep_counting(past))
        await past.often.wait()
    assert [record.message for record in caplog.records if "depth marks" in record.message] == [
        "depth marks wait: The database is not available."
    ]
