"""Callers whose tasks are written together: each gets its own answer, and its own failure."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.errors import DatabaseUnavailable, Invalid
from service.model.task import Enqueued
from service.settings import load
from service.store.fleet import FleetStore
from service.store.grouping import MOST_CHARACTERS, WRITERS, Grouping
from service.store.pool import Database
from service.store.tasks import TaskStore
from tests.api_server import TASK_TYPE

GROUPS = "SELECT count(DISTINCT xmin::text) FROM events WHERE type = 'task.enqueued'"
NUMBERS = "SELECT (data -> 'params' ->> 'n')::int FROM events WHERE type = 'task.enqueued' ORDER BY position"
# The writers of a database whose log is locked, each with its statement.
STUCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@dataclass
class World:
    """A database, and a grouping over it that remembers the outcomes."""

    db: Database
    failing: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grouping = Grouping(TaskStore(self.db), self._after_commit)

    async def enqueue(self, number: int, actor: str = "a", **fields: Any) -> Enqueued:
        task = {"task_type": "noop", "params": {"n": number}} | fields
        return await self.grouping.enqueue(task, actor=actor, correlation_id=f"c-{number}")

    async def numbers(self) -> list[int]:
        """Those that were written, in the order of the log."""
        return [row[0] for row in await self.db.fetch(NUMBERS)]

    async def until_stuck(self, number: int) -> None:
        async with asyncio.timeout(20):
            while await self.db.fetchval(STUCK) < number:
                pass

    async def _after_commit(self, outcomes: Sequence[Enqueued]) -> Sequence[Enqueued]:
        if self.failing:
            raise self.failing.pop()
        return outcomes


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with await Database.open(load().database, database) as db:
        await FleetStore(db).publish_task_types([TASK_TYPE])
        yield World(db)


async def test_each_of_many_at_once_gets_its_own_task(world: World) -> None:
    outcomes = await asyncio.gather(*(world.enqueue(number) for number in range(300)))
    assert len({outcome.task_id for outcome in outcomes}) == 300
    told = "SELECT stream_id, (data -> 'params' ->> 'n')::int, correlation_id FROM events WHERE position = $1"
    for number, outcome in enumerate(outcomes):
        row = await world.db.fetchrow(told, outcome.position)
        assert row is not None and tuple(row) == (outcome.task_id, number, f"c-{number}")
    assert await world.db.fetchval(GROUPS) == 1


async def test_one_caller_alone_waits_for_no_company(world: World) -> None:
    for number in range(3):
        await world.enqueue(number)
    assert await world.db.fetchval(GROUPS) == 3


async def test_the_tasks_of_one_caller_are_in_its_order(world: World) -> None:
    async def caller(first: int) -> None:
        for number in range(first, first + 10):
            await world.enqueue(number)

    await asyncio.gather(*(caller(first) for first in range(0, 200, 10)))
    numbers = await world.numbers()
    assert sorted(numbers) == list(range(200))
    for first in range(0, 200, 10):
        own = [number for number in numbers if first <= number < first + 10]
        assert own == sorted(own)
    assert await world.db.fetchval(GROUPS) < 100, "they were not written together"


async def test_a_bad_one_among_them_fails_alone(world: World) -> None:
    types = ["noop" if number % 10 else f"unknown-{number}" for number in range(60)]
    found = await asyncio.gather(
        *(world.enqueue(n, task_type=name) for n, name in enumerate(types)), return_exceptions=True
    )
    for number, outcome in enumerate(found):
        if number % 10:
            assert isinstance(outcome, Enqueued)
        else:
            assert isinstance(outcome, Invalid) and f"unknown-{number}" in outcome.message
            assert "task 1 " in outcome.message, "the place in somebody else's list was told"
    assert len(await world.numbers()) == 54


@pytest.mark.parametrize("value", [math.nan, object(), {1, 2}])
async def test_what_is_no_json_fails_before_anybody_shares_it(world: World, value: object) -> None:
    found = await asyncio.gather(
        *(world.enqueue(number) for number in range(20)),
        world.enqueue(99, params={"x": value}),
        return_exceptions=True,
    )
    assert isinstance(found[-1], Invalid) and "JSON" in found[-1].message
    assert sorted(await world.numbers()) == list(range(20))
    assert await world.db.fetchval(GROUPS) == 1, "the others were refused with it"


async def test_what_may_have_been_written_is_not_written_again(world: World) -> None:
    """What fails after the commit fails for all of the group, and divides nothing."""
    world.failing = [DatabaseUnavailable("The connection broke.")]
    found = await asyncio.gather(*(world.enqueue(n) for n in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in found)
    assert sorted(await world.numbers()) == list(range(20))
    assert isinstance(await world.enqueue(20), Enqueued)


async def test_a_caller_that_is_cancelled_takes_nobody_with_it(world: World) -> None:
    async with world.db.transaction() as other:
        await other.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        first = [asyncio.create_task(world.enqueue(number)) for number in range(10)]
        await world.until_stuck(1)
        later = [asyncio.create_task(world.enqueue(number)) for number in range(10, 20)]
        await world.until_stuck(WRITERS)
        waiting = [asyncio.create_task(world.enqueue(number)) for number in range(20, 30)]
        await asyncio.sleep(0)  # they stand in line
        given_up = {first[0], first[5], later[0], waiting[0]}
        for task in given_up:
            task.cancel()
    found = await asyncio.gather(*first, *later, *waiting, return_exceptions=True)
    cancelled = [number for number, outcome in enumerate(found) if isinstance(outcome, BaseException)]
    assert cancelled == [0, 5, 10, 20]
    assert sorted(await world.numbers()) == [number for number in range(30) if number != 20]


async def test_a_group_that_nobody_waits_for_is_not_written(world: World) -> None:
    async with world.db.transaction() as other:
        await other.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        callers = [asyncio.create_task(world.enqueue(number)) for number in range(10)]
        await world.until_stuck(1)
        next_ones = [asyncio.create_task(world.enqueue(number)) for number in range(10, 20)]
        await world.until_stuck(WRITERS)
        last = asyncio.create_task(world.enqueue(20))
        for task in (*callers, *next_ones):
            task.cancel()
        await asyncio.wait([*callers, *next_ones])
    assert isinstance(await last, Enqueued), "nobody wrote for those that waited"
    assert await world.numbers() == [20]


async def test_an_outage_is_told_to_each_and_ends_with_it(world: World) -> None:
    async with world.db.transaction() as other:
        await other.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        callers = [asyncio.create_task(world.enqueue(number)) for number in range(20)]
        await world.until_stuck(1)
        await other.fetchval(CUT)
        found = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in found)
    assert await world.numbers() == []
    await asyncio.gather(*(world.enqueue(number) for number in range(20)))
    assert len(await world.numbers()) == 20


async def test_actors_are_not_mixed(world: World) -> None:
    await asyncio.gather(*(world.enqueue(number, "ab"[number % 2]) for number in range(40)))
    rows = await world.db.fetch(
        "SELECT actor, count(*) FROM events WHERE type = 'task.enqueued' GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("a", 20), ("b", 20)]


async def test_a_unique_key_waits_for_its_own_rival_only(world: World) -> None:
    """One that meets an uncommitted rival waits for that transaction: the others go on."""
    async with world.db.transaction() as other:
        await other.execute("""SELECT enqueue_tasks('[{"task_type": "noop", "unique_key": "k"}]')""")
        rival = asyncio.create_task(world.enqueue(0, unique_key="k"))
        await world.until_stuck(1)
        await asyncio.gather(*(world.enqueue(number) for number in range(1, 20)))
    assert (await rival).outcome == "duplicate"


async def test_big_tasks_are_not_put_into_one_statement(world: World) -> None:
    pad = "x" * (MOST_CHARACTERS // 10)
    await asyncio.gather(*(world.enqueue(n, params={"n": n, "pad": pad}) for n in range(40)))
    assert await world.db.fetchval(GROUPS) >= 4
