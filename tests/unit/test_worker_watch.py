"""Deadlines, slots, silence and strays: who is late, what is free, who is gone, what is nobody's."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from service.fleet.silence import Silence
from service.watchdog import Watchdog
from service.worker.deadlines import Deadlines
from service.worker.slots import Slots
from service.worker.strays import Strays

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=5)


@dataclass(eq=False)
class Thing:
    name: str
    deadline: float


async def test_each_deadline_expires_in_its_order_with_one_timer() -> None:
    now = monotonic()
    running = [Thing("late", now + 0.06), Thing("never", now + 60), Thing("early", now + 0.02)]
    expired: asyncio.Queue[str] = asyncio.Queue()

    def expire(thing: Thing) -> None:
        thing.deadline = float("inf")
        expired.put_nowait(thing.name)

    deadlines = Deadlines(lambda: running, expire)
    for thing in running:
        deadlines.watch(thing.deadline)
    assert [await asyncio.wait_for(expired.get(), 30) for _ in range(2)] == ["early", "late"]
    assert monotonic() >= now + 0.06
    deadlines.close()
    running.append(Thing("after the end", now))
    deadlines.watch(now)
    assert expired.empty()


async def test_slots_are_bounded_in_all_and_by_kind() -> None:
    slots = Slots(10, {"async": 10, "thread": 4})
    assert (slots.free("async"), slots.free("thread")) == (10, 4)
    slots.take("thread", 4)
    assert (slots.free("async"), slots.free("thread"), slots.busy) == (6, 0, 4)
    slots.take("async", 5)
    slots.give("thread", 2)
    assert slots.free("thread") == 2 and slots.free("async") == 3


async def test_a_claim_waits_for_a_slot_and_then_for_company_but_not_long() -> None:
    slots = Slots(100, {"async": 100})
    slots.take("async", 100)
    waits = asyncio.create_task(slots.wait("async"))
    await asyncio.sleep(0)  # one turn of the loop
    assert not waits.done()
    slots.give("async")
    assert await asyncio.wait_for(waits, 5) == 1
    waits = asyncio.create_task(slots.wait("async"))
    await asyncio.sleep(0)  # one turn of the loop
    slots.give("async", 40)
    assert await asyncio.wait_for(waits, 5) == 41


def test_only_silence_that_was_watched_counts() -> None:
    silence = Silence(lost_after=30, longest_gap=15)
    long_ago = NOON - timedelta(days=1)
    assert silence.look(0, {"w": long_ago}) == []
    for now in (10, 20):
        assert silence.look(now, {"w": long_ago}) == []
    assert silence.look(30, {"w": long_ago}) == [("w", long_ago)]
    assert silence.look(31, {"w": long_ago}) == [], "judged once, it is watched anew"


def test_a_sign_of_life_or_a_gap_in_the_watching_starts_anew() -> None:
    silence = Silence(lost_after=30, longest_gap=15)
    silence.look(0, {"w": NOON, "v": NOON})
    silence.look(15, {"w": NOON, "v": LATER})
    assert silence.look(30, {"w": NOON, "v": LATER}) == [("w", NOON)]
    assert silence.look(60, {"v": LATER}) == [], "the watcher was away itself"
    silence.look(75, {"v": LATER})
    silence.forget()
    assert silence.look(90, {"v": LATER}) == []


def test_a_task_unknown_at_two_looks_is_a_stray() -> None:
    strays = Strays()
    assert strays.look(1, {"t": 2, "mine": 3}, {"mine": 3}, [None]) == []
    assert strays.look(2, {"t": 2, "mine": 3}, {"mine": 3}, [None]) == [("t", 2)]


def test_a_claim_that_is_on_its_way_explains_what_is_unknown() -> None:
    strays = Strays()
    assert strays.look(1, {"t": 2}, {}, [0.5]) == []
    assert strays.look(9, {"t": 2}, {}, [0.5, None]) == [], "the same claim still waits for its answer"
    assert strays.look(10, {"t": 2}, {}, [9.5]) == [("t", 2)], "a later claim cannot have taken it"


def test_what_became_known_or_ended_is_no_stray() -> None:
    strays = Strays()
    strays.look(1, {"t": 2, "u": 2}, {}, [0.5])
    assert strays.look(2, {"t": 2}, {"t": 2}, [None]) == []
    assert strays.look(3, {"u": 5}, {}, [None]) == [], "another lease is another claim"


async def test_the_worst_lag_is_told_once_and_also_while_it_lasts() -> None:
    watchdog = Watchdog()
    running = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    watchdog.take_worst()
    time.sleep(0.25)  # noqa: ASYNC251 - the loop is to be held up
    assert 0.1 <= watchdog.take_worst() < 5, "it has not looked yet"
    await asyncio.sleep(0.15)  # the stamp after the hold-up
    worst = watchdog.take_worst()
    assert worst > 0.1, "what it saw when it looked"
    assert watchdog.take_worst() < worst, "told once"
    running.cancel()
