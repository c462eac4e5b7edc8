"""Low-water marks on the real queue: what commits late is found, and a claim skips what it need not see."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.settings import load
from service.store.fleet import FleetStore
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.worker.marks import Marks, Row


class Unbounded(Marks):
    """The guard removed: trusts the highest position it has seen, settled or not."""

    def advance(self, settled: int, rows: Sequence[Row], was_short: bool) -> None:
        highest = max((row.ready_position or 0 for row in rows), default=0)
        super().advance(max(settled, highest), rows, was_short)


async def claims_around_a_late_commit(database: str, marks: Marks) -> tuple[str, list[str], list[str]]:
    """One task is enqueued and not committed; the next is, and is claimed; then the first commits.

    Gives the first one's id, what the claim before its commit took, and what the one after took.
    """
    async with queue(database) as (db, tasks), db.session() as late:
        # The lane is there already: whoever makes it holds up the others until the commit.
        await tasks.enqueue([{"task_type": "noop"}], actor="test")
        marks.begin(0.0)
        look = await tasks.claim("w", ["default"], ["noop"], 10)
        marks.looked_fully(0.0, 0.0)
        marks.advance(look.settled, look.tasks, was_short=True)
        async with late.connection.transaction():
            (first,) = await TaskStore(late).enqueue([{"task_type": "noop"}], actor="test")
            await tasks.enqueue([{"task_type": "noop"}], actor="test")
            before = await tasks.claim("w", ["default"], ["noop"], 10, marks.begin(0.1) or ())
            marks.advance(before.settled, before.tasks, was_short=True)
        after = await tasks.claim("w", ["default"], ["noop"], 10, marks.begin(0.2) or ())
        return (
            first.task_id,
            [task.task_id for task in before.tasks],
            [task.task_id for task in after.tasks],
        )


@asynccontextmanager
async def queue(database: str) -> AsyncIterator[tuple[Database, TaskStore]]:
    """A database with a type of task to enqueue."""
    async with await Database.open(load().database, database) as db:
        await FleetStore(db).publish_task_types([{"task_type": "noop", "code_version": "1"}])
        yield db, TaskStore(db)


async def test_a_task_that_commits_late_is_claimed_by_the_next_claim(database: str) -> None:
    first, before, after = await claims_around_a_late_commit(database, Marks(3600))
    assert len(before) == 1 and after == [first]


async def test_witness_a_mark_that_trusts_what_it_has_seen_steps_over_it(database: str) -> None:
    _, before, after = await claims_around_a_late_commit(database, Unbounded(3600))
    assert len(before) == 1 and after == []


async def test_a_full_look_finds_what_was_given_back_behind_the_marks(database: str) -> None:
    async with queue(database) as (_, tasks):
        await tasks.enqueue([{"task_type": "noop"}] * 3, actor="test")
        marks = Marks(3600)
        marks.begin(0.0)
        claim = await tasks.claim("w", ["default"], ["noop"], 10)
        marks.looked_fully(0.0, 0.0)
        marks.advance(claim.settled, claim.tasks, was_short=True)
        back = claim.tasks[0]
        await tasks.end_attempts("w", [back.task_id], [back.lease], ["released"], [{}])
        hasty = await tasks.claim("w", ["default"], ["noop"], 10, marks.begin(1.0) or ())
        assert hasty.tasks == []
        marks.wish_full_look()
        assert marks.begin(2.0) is None
        full = await tasks.claim("w", ["default"], ["noop"], 10)
        assert [task.task_id for task in full.tasks] == [back.task_id]
