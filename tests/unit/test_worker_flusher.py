"""Reports reach the database in batches, through outages, and around what cannot be stored."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from service.errors import DatabaseUnavailable, Invalid
from service.model.task import Ended
from service.settings import load
from service.worker import delivery
from service.worker.attempt import Ending, Verdict
from service.worker.flusher import Flusher, Listeners
from service.worker.reports import Report, Reports
from tests.unit.test_worker_attempt import claimed


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.001)


class Store:
    """Stands for TaskStore; what it is told to fail, it fails."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.called = asyncio.Event()
        self.failures: list[Exception] = []
        self.poison: set[str] = set()
        self.hold: asyncio.Event | None = None
        self.written: dict[str, str] = {}

    async def end_attempts(
        self,
        worker: str,
        ids: Sequence[str],
        leases: Any,
        outcomes: Sequence[str],
        details: Any,
        records: Any,
    ) -> list[Ended]:
        self.calls.append(("end", list(ids)))
        self.called.set()
        if self.hold:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        if bad := self.poison & {i for i, o in zip(ids, outcomes, strict=True) if o == "completed"}:
            raise Invalid(f"cannot store {sorted(bad)}")
        self.written |= dict(zip(ids, outcomes, strict=True))
        return [Ended(i, o) for i, o in zip(ids, outcomes, strict=True) if o != "completed"]

    async def progress(self, worker: str, ids: Sequence[str], *rest: Any) -> list[Ended]:
        self.calls.append(("progress", list(ids)))
        self.called.set()
        if self.hold:
            await self.hold.wait()
        return [Ended(i, "progressed") for i in ids]


class Scene:
    def __init__(self, batch: int = 100) -> None:
        self.store = Store()
        self.reports = Reports(1.0, 10.0)
        self.held: dict[str, int] = {}
        self.ended: list[tuple[str, str]] = []
        settings = load({"worker.claim_batch": batch}).worker
        listeners = Listeners(self._ended, lambda t, o: None)
        store: Any = self.store
        self.flusher = Flusher(store, self.reports, settings, lambda: "w", self._held, listeners)

    def _ended(self, batch: Sequence[Ending], others: Mapping[str, str]) -> None:
        ids = [ending.task.task_id for ending in batch]
        self.ended += [(task_id, others.get(task_id, "completed")) for task_id in ids]

    async def _held(self) -> dict[str, int]:
        return self.held

    def end(self, *ids: str, outcome: str = "completed") -> None:
        for task_id in ids:
            self.flusher.end(Ending(claimed(task_id), Verdict(outcome), 1.0, []))

    async def flush(self) -> None:
        self.flusher.close()
        await asyncio.wait_for(self.flusher.run(), 10)


def names(number: int) -> list[str]:
    return [f"t{n}" for n in range(number)]


async def test_what_is_there_goes_in_one_batch() -> None:
    scene = Scene()
    scene.end(*names(50))
    await scene.flush()
    assert scene.store.calls == [("end", names(50))]
    assert scene.ended == [(name, "completed") for name in names(50)] and scene.flusher.backlog == 0


async def test_what_comes_during_a_flush_is_the_next_batch() -> None:
    scene = Scene()
    scene.store.hold = asyncio.Event()
    scene.end("first")
    run = asyncio.create_task(scene.flusher.run())
    await scene.store.called.wait()
    scene.end("second", "third")
    assert scene.flusher.backlog == 3
    scene.store.hold.set()
    scene.flusher.close()
    await run
    assert scene.store.calls == [("end", ["first"]), ("end", ["second", "third"])]


async def test_claims_wait_while_the_database_does_not_keep_up() -> None:
    scene = Scene()
    scene.end("a", "b", "c")
    room = asyncio.create_task(scene.flusher.room(2))
    await asyncio.sleep(0)  # one turn of the loop
    assert not room.done()
    await scene.flush()
    await asyncio.wait_for(room, 1)


async def test_a_checkpoint_is_written_before_the_end_of_its_attempt_even_if_that_comes_in_between() -> None:
    scene = Scene()
    scene.store.hold = asyncio.Event()
    scene.reports.progress("other", 2, 1.0, None)
    run = asyncio.create_task(scene.flusher.run())
    await scene.store.called.wait()
    scene.reports.checkpoint("t", 2, "1")
    scene.end("t", outcome="failed")
    scene.store.hold.set()
    scene.flusher.close()
    await run
    assert scene.store.calls == [("progress", ["other"]), ("progress", ["t"]), ("end", ["t"])]


async def test_an_outage_keeps_what_was_reported() -> None:
    scene = Scene()
    scene.store.failures = [DatabaseUnavailable("away")] * 3
    scene.held = dict.fromkeys(names(3), 2)
    scene.end(*names(3))
    await scene.flush()
    assert scene.store.written == dict.fromkeys(names(3), "completed")


async def test_an_answer_that_was_lost_is_not_reported_again() -> None:
    scene = Scene()
    scene.store.failures = [DatabaseUnavailable("cut after the commit")]
    scene.held = {"t1": 2}
    scene.end(*names(3))
    await scene.flush()
    assert scene.store.calls == [("end", names(3)), ("end", ["t1"])]
    assert sorted(scene.ended) == [("t0", "unconfirmed"), ("t1", "completed"), ("t2", "unconfirmed")]


@pytest.mark.parametrize("bad", [{"t0"}, {"t3", "t4"}, {"t6"}, set(names(7))])
async def test_what_cannot_be_stored_fails_alone(bad: set[str]) -> None:
    scene = Scene()
    scene.store.poison = bad
    scene.end(*names(7))
    await scene.flush()
    assert scene.store.written == {n: "failed" if n in bad else "completed" for n in names(7)}


async def test_an_error_that_passes_poisons_nobody() -> None:
    scene = Scene()
    scene.store.failures = [RuntimeError("deadlock")]
    scene.end(*names(4))
    await scene.flush()
    assert scene.store.written == dict.fromkeys(names(4), "completed")


async def test_a_flush_that_is_broken_off_keeps_its_batch() -> None:
    scene = Scene()
    scene.store.hold = asyncio.Event()
    scene.end("a", "b")
    run = asyncio.create_task(scene.flusher.run())
    await scene.store.called.wait()
    run.cancel()
    await asyncio.wait([run])
    assert scene.flusher.backlog == 2
    scene.store.hold = None
    await scene.flush()
    assert scene.store.written == {"a": "completed", "b": "completed"}


def test_the_latest_report_wins_and_comes_at_most_once_a_second() -> None:
    reports = Reports(1.0, 10.0)
    reports.progress("t", 2, 1.0, "a")
    reports.progress("t", 2, 2.0, "b")
    assert reports.due(0.0) == [Report("t", 2, 2.0, "b", None)]
    reports.progress("t", 2, 3.0, "c")
    assert reports.next_due() == 1.0 and reports.due(0.9) == []
    assert reports.due(1.0) == [Report("t", 2, 3.0, "c", None)]
    assert reports.next_due() is None and reports.due(99.0) == []


def test_what_only_repeats_itself_comes_every_ten_seconds() -> None:
    reports = Reports(1.0, 10.0)
    reports.progress("t", 2, 1.0, "a")
    reports.due(0.0)
    reports.progress("t", 2, 1.0, "a")
    assert reports.due(9.9) == [] and len(reports.due(10.0)) == 1


def test_progress_does_not_push_out_a_checkpoint() -> None:
    reports = Reports(1.0, 10.0)
    reports.checkpoint("t", 2, "1")
    reports.progress("t", 2, 5.0, None)
    assert reports.due(0.0) == [Report("t", 2, 5.0, None, "1")]
    reports.progress("t", 2, 6.0, None)
    assert reports.close("t", keep_checkpoint=True) is None


def test_a_checkpoint_that_waits_is_given_back_at_the_end() -> None:
    reports = Reports(1.0, 10.0)
    reports.checkpoint("t", 2, "1")
    reports.checkpoint("u", 2, "2")
    assert reports.close("t", keep_checkpoint=True) == Report("t", 2, None, None, "1")
    assert reports.close("u", keep_checkpoint=False) is None and reports.due(0.0) == []


def test_a_new_attempt_inherits_no_report() -> None:
    reports = Reports(1.0, 10.0)
    reports.progress("t", 2, 1.0, "a")
    reports.progress("t", 5, 7.0, "b")
    assert reports.due(0.0) == [Report("t", 5, 7.0, "b", None)]
