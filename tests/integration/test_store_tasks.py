"""Tasks through the store: what one method sends is what the database does."""

import asyncpg
import pytest

from service.errors import Conflict, Invalid
from service.model.task import ClaimedTask, LaneMark, RequestKey
from service.settings import load
from service.store.fleet import FleetStore
from service.store.pool import Database
from service.store.tasks import TaskFilter, TaskStore
from service.store.wire import Json, encode

ACTOR = "psql:tests"


@pytest.fixture
async def pool(database: str):
    async with await Database.open(load().database, database) as opened:
        await FleetStore(opened).publish_task_types(
            [{"task_type": "noop"}, {"task_type": "other", "queue": "side"}]
        )
        yield opened


@pytest.fixture
def tasks(pool: Database) -> TaskStore:
    return TaskStore(pool)


async def enqueue(tasks: TaskStore, *specs: dict) -> list[str]:
    return [
        done.task_id for done in await tasks.enqueue([{"task_type": "noop"} | s for s in specs], actor=ACTOR)
    ]


async def claim_one(tasks: TaskStore, worker: str = "w-1") -> ClaimedTask:
    (task,) = (await tasks.claim(worker, ["default", "side"], ["noop", "other"], 1)).tasks
    return task


async def test_enqueue_tells_what_became_of_each_task_and_where_it_waits(tasks: TaskStore) -> None:
    done = await tasks.enqueue(
        [
            {"task_type": "noop", "params": {"n": 1}},
            {"task_type": "other", "unique_key": "k"},
            {"task_type": "other", "unique_key": "k"},
        ],
        actor=ACTOR,
    )
    assert [(d.ordinal, d.outcome, d.queue) for d in done] == [
        (1, "enqueued", "default"),
        (2, "enqueued", "side"),
        (3, "duplicate", "side"),
    ]
    assert done[2].task_id == done[1].task_id and done[2].position is None
    assert done[0].position < done[1].position


async def test_a_repeated_request_gets_the_first_answer(tasks: TaskStore) -> None:
    request = RequestKey("test-key", "POST /api/v1/tasks", "k-1", "hash")
    first = await tasks.enqueue([{"task_type": "noop"}], actor=ACTOR, request=request)
    assert await tasks.enqueue([{"task_type": "noop"}], actor=ACTOR, request=request) == first
    with pytest.raises(Conflict, match="k-1"):
        await tasks.enqueue([{"task_type": "noop"}], actor=ACTOR, request=request._replace(hash="other"))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"task_type": "nop"}, "nop"),
        ({"task_type": "noop", "prio": 1}, "prio"),
        ({"task_type": "noop", "params": {"a": "\0"}}, "does not fit"),
    ],
    ids=["unknown type", "unknown field", "zero byte"],
)
async def test_a_bad_task_is_refused_as_invalid(tasks: TaskStore, task: dict, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        await tasks.enqueue([{"task_type": "noop"}, task], actor=ACTOR)
    assert (await tasks.list()).items == []


async def test_an_unknown_type_is_answered_with_the_nearest_names(tasks: TaskStore) -> None:
    with pytest.raises(Invalid) as refused:
        await tasks.enqueue([{"task_type": "nooop"}], actor=ACTOR)
    assert "noop" in refused.value.hint


async def test_a_claim_hands_over_everything_that_a_handler_needs(tasks: TaskStore) -> None:
    (task_id,) = [
        d.task_id
        for d in await tasks.enqueue(
            [
                {
                    "task_type": "noop",
                    "params": {"ü": [1, None]},
                    "priority": 2,
                    "subject": "thing:1",
                    "timeout_seconds": 7,
                }
            ],
            actor=ACTOR,
            correlation_id="c-1",
            trace="00-aa-bb-01",
        )
    ]
    claim = await tasks.claim("w-1", ["default"], ["noop"], 5)
    (task,) = claim.tasks
    assert (task.task_id, task.task_type, task.lease, task.attempt, task.failures) == (
        task_id,
        "noop",
        2,
        1,
        0,
    )
    assert (task.params, task.checkpoint, task.priority, task.subject) == (
        {"ü": [1, None]},
        None,
        2,
        "thing:1",
    )
    assert (task.timeout_seconds, task.correlation_id, task.trace, task.queue) == (
        7,
        "c-1",
        "00-aa-bb-01",
        "default",
    )
    assert task.ready_position == task.enqueued_position <= claim.settled


async def test_the_columns_of_a_claim_are_the_fields_of_a_claimed_task(pool: Database) -> None:
    async with pool.acquire() as connection:
        statement = await connection.prepare("SELECT * FROM claim_tasks('w', '{}', '{}', 1)")
        assert tuple(column.name for column in statement.get_attributes()) == ClaimedTask._fields


async def test_a_claim_that_finds_nothing_still_tells_the_settled_position(tasks: TaskStore) -> None:
    await enqueue(tasks, {}, {})
    first = await tasks.claim("w-1", ["default"], ["noop"], 5)
    nothing = await tasks.claim("w-1", ["default"], ["noop"], 5)
    assert nothing.tasks == [] and nothing.settled >= first.settled + 2


async def test_a_mark_lets_a_claim_start_further_on(tasks: TaskStore) -> None:
    await enqueue(tasks, {}, {})
    first = await claim_one(tasks)
    await tasks.end_attempts("w-1", [first.task_id], [first.lease], ["released"], [{}])
    mark = LaneMark(first.lane, first.ready_position + 1, None)
    (second,) = (await tasks.claim("w-1", ["default"], ["noop"], 1, [mark])).tasks
    assert second.task_id != first.task_id


async def test_attempts_end_as_reported_row_by_row(tasks: TaskStore) -> None:
    await enqueue(tasks, {}, {"max_attempts": 1}, {})
    claimed = (await tasks.claim("w-1", ["default"], ["noop"], 3)).tasks
    a, b, c = claimed
    ended = await tasks.end_attempts(
        "w-1",
        [a.task_id, b.task_id, c.task_id, "task-none"],
        [a.lease, b.lease, c.lease + 1, 2],
        ["completed", "failed", "completed", "completed"],
        [
            encode({"result": {"n": 1}, "duration_ms": 5}),
            {"error_type": "E", "error_message": "boom"},
            {},
            {},
        ],
    )
    assert dict(ended) == {
        b.task_id: "failed",
        c.task_id: "lease_lost",
        "task-none": "not_found",
    }
    done = await tasks.get(a.task_id)
    assert done and done.status == "completed" and done.result == {"n": 1} and done.is_over
    assert [attempt.status for attempt in await tasks.attempts(b.task_id)] == ["failed"]


async def test_records_are_appended_with_the_completion(tasks: TaskStore, pool: Database) -> None:
    await enqueue(tasks, {})
    task = await claim_one(tasks)
    record = {
        "task_id": task.task_id,
        "type": "thing.done",
        "stream_type": "thing",
        "stream_id": "1",
        "data": {"n": 1},
    }
    await tasks.end_attempts("w-1", [task.task_id], [task.lease], ["completed"], [{}], [record])
    assert await pool.fetchval("SELECT data FROM events WHERE stream_type = 'thing'") == {"n": 1}


async def test_progress_is_kept_and_tells_of_a_cancellation(tasks: TaskStore) -> None:
    await enqueue(tasks, {})
    task = await claim_one(tasks)
    report = ("w-1", [task.task_id], [task.lease], [40.0], ["halfway"], [["seen", 4]])
    assert await tasks.progress(*report) == [(task.task_id, "progressed")]
    row = await tasks.get(task.task_id)
    assert row and (row.progress_percentage, row.step, row.checkpoint) == (40.0, "halfway", ["seen", 4])
    (changed,) = await tasks.cancel([task.task_id], "enough", actor=ACTOR)
    assert (changed.outcome, changed.status) == ("cancellation_requested", "running")
    assert await tasks.progress(*report) == [(task.task_id, "cancellation_requested")]
    (waiting,) = await enqueue(tasks, {})
    assert await tasks.cancellations([task.task_id, waiting, "task-gone"]) == {task.task_id, "task-gone"}


async def test_cancel_and_retry_answer_for_each_task(tasks: TaskStore) -> None:
    one, two = await enqueue(tasks, {}, {})
    changed = {c.task_id: c.outcome for c in await tasks.cancel([one, "task-none"], actor=ACTOR)}
    assert changed == {one: "cancelled", "task-none": "not_found"}
    retried = {c.task_id: (c.outcome, c.status) for c in await tasks.retry([one, two], actor=ACTOR)}
    assert retried == {one: ("retried", "cancelled"), two: ("conflict", "pending")}


async def test_a_worker_that_renewed_is_not_robbed(tasks: TaskStore, pool: Database) -> None:
    fleet = FleetStore(pool)
    await fleet.start_worker("w-1", host="h", pid=1, queues=["default"], task_types=["noop"], concurrency=1)
    (task_id,) = await enqueue(tasks, {})
    await claim_one(tasks)
    (before,) = await fleet.workers()
    assert (before.status, before.running) == ("live", 1)
    assert await fleet.renew_worker("w-1")
    assert await tasks.rescue("w-1", before.seen_at, actor=ACTOR) == []
    (now,) = await fleet.workers()
    assert await tasks.rescue("w-1", now.seen_at, actor=ACTOR) == [(task_id, "rescued")]
    assert not await fleet.renew_worker("w-1")


async def test_a_worker_that_dies_idle_is_given_up_too(tasks: TaskStore, pool: Database) -> None:
    fleet = FleetStore(pool)
    await fleet.start_worker("w-1", host="h", pid=1, queues=["default"], task_types=["noop"], concurrency=1)
    (before,) = await fleet.workers()
    assert await tasks.rescue("w-1", before.seen_at, actor=ACTOR) == []
    (gone,) = await fleet.workers()
    assert (gone.status, gone.reason) == ("lost", "no sign of life")
    assert not await fleet.renew_worker("w-1")


async def test_the_list_pages_through_all_tasks_newest_first(tasks: TaskStore) -> None:
    ids = [await enqueue(tasks, {}, {}, {}) for _ in range(3)]
    seen, cursor = [], None
    while True:
        page = await tasks.list(limit=2, cursor=cursor)
        seen += [task.task_id for task in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [task_id for batch in reversed(ids) for task_id in reversed(batch)]


async def test_the_list_filters_by_everything_it_offers(tasks: TaskStore) -> None:
    (plain,) = await enqueue(tasks, {})
    (other,) = await enqueue(tasks, {"task_type": "other", "subject": "order:7"})
    (failed,) = await enqueue(tasks, {"priority": 1, "max_attempts": 1})
    task = await claim_one(tasks)
    await tasks.end_attempts("w-1", [failed], [task.lease], ["failed"], [{"error_message": "Kaputt 100%"}])
    made_at = (await tasks.get(other)).created_at

    async def ids(**only: object) -> list[str]:
        return [found.task_id for found in (await tasks.list(TaskFilter(**only))).items]

    assert (
        await ids(task_types=["other"]) == await ids(queue="side") == await ids(subject="order:7") == [other]
    )
    assert await ids(statuses=["failed"]) == await ids(text="kaputt 100%") == [failed]
    assert await ids(text="ORDER:") == [other] and await ids(text=plain) == [plain]
    assert await ids(since=made_at) == [failed, other] and await ids(until=made_at) == [plain]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMiwzXQ", "WyJhIiwyXQ", "WzFlOTksMV0", "WzFlMjAsMV0"])
async def test_a_strange_cursor_is_refused(tasks: TaskStore, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        await tasks.list(cursor=cursor)


async def test_a_task_stands_behind_higher_classes_and_its_elders(tasks: TaskStore, pool: Database) -> None:
    low, first, second, high = await enqueue(tasks, {"priority": 9}, {}, {}, {"priority": 1})
    (later,) = await enqueue(tasks, {"run_at": "2999-01-01T00:00:00Z"})
    places = {task_id: await tasks.queue_position(task_id) for task_id in (high, first, second, low, later)}
    assert [place.queue_position for place in places.values()] == [1, 2, 3, 4, None]
    assert all(place.exact and place.estimated_completion_at is None for place in places.values())
    order = [(await claim_one(tasks)).task_id for _ in range(4)]
    assert order == [high, first, second, low]
    assert (await tasks.queue_position(high)).queue_position is None


async def test_beyond_ten_thousand_the_place_is_an_estimate(tasks: TaskStore) -> None:
    for _ in range(3):
        await tasks.enqueue([{"task_type": "noop"}] * 4000, actor=ACTOR)
    (last,) = await enqueue(tasks, {})
    place = await tasks.queue_position(last)
    assert not place.exact and place.queue_position == pytest.approx(12_001, rel=0.01)


async def test_an_estimate_comes_from_recent_tasks_and_live_slots(tasks: TaskStore, pool: Database) -> None:
    fleet = FleetStore(pool)
    await fleet.start_worker("w-1", host="h", pid=1, queues=["default"], task_types=["noop"], concurrency=2)
    await enqueue(tasks, {})
    task = await claim_one(tasks)
    await tasks.end_attempts(
        "w-1", [task.task_id], [task.lease], ["completed"], [Json('{"duration_ms": 60000}')]
    )
    *_, last = await enqueue(tasks, {}, {}, {}, {})
    now = await pool.fetchval("SELECT now()")
    place = await tasks.queue_position(last)
    assert place.queue_position == 4
    assert (place.estimated_completion_at - now).total_seconds() == pytest.approx(120, abs=5)


async def test_an_unknown_task_is_nowhere(tasks: TaskStore) -> None:
    assert await tasks.get("task-none") is None and await tasks.attempts("task-none") == []
    place = await tasks.queue_position("task-none")
    assert (place.queue_position, place.estimated_completion_at) == (None, None)


async def test_a_server_error_that_is_nobodys_to_explain_stays_a_bug(pool: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.fetch("SELECT * FROM no_such_table")
