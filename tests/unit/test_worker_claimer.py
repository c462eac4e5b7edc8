"""A claimer asks for what can start, at the right moment; and no ring is lost during a claim."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import pytest

from service.errors import DatabaseUnavailable
from service.model.task import Claim, ClaimedTask
from service.store.wakeups import EVERYTHING, Wakeup
from service.worker.alarm import COMPANY_SECONDS, JITTER_SECONDS, LONGEST_COMPANY_SECONDS, Alarm
from service.worker.claimer import Claimer, Conditions, Scope
from service.worker.slots import Slots
from tests.unit.test_worker_attempt import claimed

NEVER = 3600.0


class Store:
    """Stands for TaskStore: gives what is in `tasks`; `during` happens before a claim is answered."""

    def __init__(self) -> None:
        self.tasks: list[ClaimedTask] = []
        self.asked: asyncio.Queue[tuple[int, bool]] = asyncio.Queue()
        self.during: Callable[[], Awaitable[None]] | None = None
        self.failures: list[Exception] = []
        self.due_in: list[float] = []

    async def claim(self, worker: str, queues: Any, types: Any, slots: int, marks: Any) -> Claim:
        # What is enqueued from here on, this claim does not see.
        found, self.tasks = self.tasks[:slots], self.tasks[slots:]
        self.asked.put_nowait((slots, not marks))
        if self.during:
            during, self.during = self.during, None
            await during()
        if self.failures:
            raise self.failures.pop(0)
        return Claim(100, found, self.due_in.pop(0) if self.due_in else None)


class Scene:
    def __init__(self, kind: type[Claimer] = Claimer, slots: int = 4, poll: float = NEVER) -> None:
        self.store = Store()
        self.slots = Slots(slots, {"async": slots})
        self.wakeup = Wakeup("annals_tasks")
        self.gate = asyncio.Event()
        self.gate.set()
        self.taken: asyncio.Queue[str] = asyncio.Queue()
        store: Any = self.store
        self.claimer = kind(
            Scope("async", ["default"], ["noop"], 500, poll),
            Conditions(self.gate, self._room, lambda: "w"),
            store,
            self.slots,
            self.wakeup,
            lambda tasks: [self.taken.put_nowait(task.task_id) for task in tasks],
        )
        self.loop = asyncio.create_task(self.claimer.run())

    async def _room(self) -> None:
        """The flusher always keeps up here."""

    async def asked(self) -> tuple[int, bool]:
        """The next claim: how many, and whether it was a full look."""
        return await asyncio.wait_for(self.store.asked.get(), 30)

    async def stop(self) -> None:
        self.claimer.stop()
        await asyncio.wait_for(self.loop, 5)


class ClearsAfterwards(Claimer):
    """The guard removed: takes the flag down after the claim instead of before."""

    async def _ask(self, slots: int) -> Claim:
        claim = await super()._ask(slots)
        self._wakeup.clear()
        return claim


async def ring_during_a_claim(kind: type[Claimer]) -> Scene:
    """A task is enqueued, and rung for, just after a claim has looked."""
    scene = Scene(kind)

    async def enqueue() -> None:
        scene.store.tasks.append(claimed("late"))
        scene.wakeup.set("default")

    scene.store.during = enqueue
    await scene.asked()
    return scene


async def test_a_ring_during_a_claim_is_not_lost() -> None:
    scene = await ring_during_a_claim(Claimer)
    assert await asyncio.wait_for(scene.taken.get(), 30) == "late"
    await scene.stop()


async def test_witness_cleared_after_the_claim_the_ring_is_lost() -> None:
    scene = await ring_during_a_claim(ClearsAfterwards)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scene.taken.get(), 0.2)
    await scene.stop()


async def test_it_asks_for_free_slots_only_and_goes_on_while_there_is_more() -> None:
    scene = Scene(slots=4)
    scene.store.tasks = [claimed(f"t{n}") for n in range(6)]
    assert (await scene.asked())[0] == 4
    scene.slots.give("async", 3)
    assert (await scene.asked())[0] == 3
    await scene.stop()
    assert scene.taken.qsize() == 6 and scene.slots.busy == 3


async def test_rings_of_other_queues_wake_nobody_and_an_exclamation_mark_looks_fully() -> None:
    scene = Scene()
    scene.store.tasks = [claimed("t")]
    assert await scene.asked() == (4, True)
    scene.wakeup.set("other")
    scene.wakeup.set("default")
    assert (await scene.asked())[0] == 3
    scene.wakeup.set("other!")
    await asyncio.sleep(0.01)  # time in which nothing may happen
    assert scene.store.asked.empty()
    scene.wakeup.set("default!")
    assert (await scene.asked())[1] is True
    scene.wakeup.set(EVERYTHING)
    assert (await scene.asked())[0] == 3
    await scene.stop()


async def test_it_looks_without_a_ring_every_poll_interval() -> None:
    scene = Scene(poll=0.02)
    for _ in range(3):
        await scene.asked()
    await scene.stop()


async def test_it_looks_when_the_next_task_is_due_and_not_before() -> None:
    scene = Scene()
    scene.store.due_in = [0.05]
    await scene.asked()
    began = monotonic()
    await scene.asked()
    assert 0.05 <= monotonic() - began < 30
    await asyncio.sleep(0.05)  # time in which nothing may happen: nothing waits any more
    assert scene.store.asked.empty()
    await scene.stop()


async def test_a_ring_for_an_earlier_time_brings_the_look_forward() -> None:
    scene = Scene()
    scene.store.due_in = [NEVER, 0.01]
    await scene.asked()
    scene.wakeup.set("default")
    await scene.asked()
    await scene.asked()
    await scene.stop()


async def test_times_close_together_are_taken_by_few_claims() -> None:
    scene = Scene()
    scene.store.due_in = [0.0] * 1000
    await scene.asked()
    began = monotonic()
    for _ in range(10):
        await scene.asked()
    assert monotonic() - began > 10 * 0.75 * COMPANY_SECONDS
    await scene.stop()


def test_who_comes_in_vain_comes_later_and_who_finds_comes_soon() -> None:
    alarm, now, pauses = Alarm(), 100.0, []
    for found in (False, False, False, False, True, True):
        alarm.ring(now)
        alarm.set(now + 0.001, found, 0.0)
        pauses.append(alarm.at - now)
        now = alarm.at
    assert all(pause <= LONGEST_COMPANY_SECONDS + JITTER_SECONDS for pause in pauses)
    assert (
        pauses[3] >= 0.75 * LONGEST_COMPANY_SECONDS > COMPANY_SECONDS >= pauses[4] >= 0.75 * COMPANY_SECONDS
    )


def test_a_claim_that_nobody_rang_for_says_nothing_about_the_fleet() -> None:
    alarm = Alarm()
    alarm.ring(100.0)
    alarm.set(100.001, True, None)
    assert alarm.at == float("inf")
    for _ in range(5):
        alarm.set(100.002, False, 0.0)
    assert alarm.at <= 100.0 + COMPANY_SECONDS


async def test_a_closed_gate_keeps_it_from_claiming() -> None:
    scene = Scene(poll=0.01)
    scene.gate.clear()
    await asyncio.sleep(0.05)  # time in which nothing may happen
    assert scene.store.asked.empty()
    scene.gate.set()
    await scene.asked()
    await scene.stop()


async def test_an_outage_costs_neither_slots_nor_the_loop() -> None:
    scene = Scene()
    scene.store.failures = [DatabaseUnavailable("away"), DatabaseUnavailable("away")]
    for _ in range(3):
        assert (await scene.asked())[0] == 4
    assert not scene.loop.done()
    await scene.stop()
    assert scene.slots.busy == 0


async def test_a_claim_that_is_on_its_way_is_waited_for_at_the_end() -> None:
    scene = Scene()
    answer = asyncio.Event()

    async def wait() -> None:
        await answer.wait()

    scene.store.tasks, scene.store.during = [claimed("t")], wait
    await scene.asked()
    assert scene.claimer.claiming_since is not None
    scene.claimer.stop()
    answer.set()
    await asyncio.wait_for(scene.loop, 5)
    assert scene.taken.get_nowait() == "t"
