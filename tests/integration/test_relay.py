"""A relay in the process of the test: followers, parking, rewinding, taking over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from service.errors import Conflict, Invalid, NotFound
from service.model.events import Event
from service.relay.counts import TASK_COUNTS
from service.relay.follower import Follower
from service.relay.parking import StillFails, follower_of, give_up, retry, rewind
from service.relay.relay import Relay, serve
from service.relay.webhooks import Webhooks
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.log import Found, LogReader
from service.store.pool import Database, Querying, Session
from service.store.tasks import TaskStore
from service.store.wakeups import Wakeups

SETTINGS = load(
    {
        "environment": "test",
        "relay.lease_seconds": 1,
        "relay.renew_seconds": 0.2,
        "relay.poll_interval_seconds": 0.1,
        "relay.retry_seconds": 0.01,
    }
)
NOTE = """
    SELECT append_events(ARRAY[ROW(
        'echo', $1, 'echo.made', jsonb_build_object('of', $2::bigint, 'effects', $3::boolean),
        NULL, NULL, NULL, NULL)::event_draft])
"""
COUNTED = "SELECT sum(enqueued), sum(completed), sum(cancelled) FROM task_counts"
IN_LOG = """
    SELECT count(*) FILTER (WHERE type = 'task.enqueued'), count(*) FILTER (WHERE type = 'task.completed'),
           count(*) FILTER (WHERE type = 'task.cancelled') FROM events
"""
Position = int


class Echo:
    """Answers each enqueued task with an event; fails on those whose params say so."""

    rest = 0
    rings = ("annals_events",)

    def __init__(self, name: str = "echo") -> None:
        self.name = name
        self.mended = False

    async def search(self, db: Querying, after: int, limit: int) -> Found:
        return await LogReader(db).search(after, limit, types=["task.enqueued"])

    async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
        for event in events:
            if event.data["params"].get("poison") == self.name and not self.mended:
                raise ValueError("bitter")
            await db.fetchval(NOTE, self.name, event.position, effects)

    async def forget(self, db: Session, after: int, until: int) -> None:
        """It builds no state."""


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(SETTINGS.database, database) as opened:
        await opened.fetchval("SELECT publish_task_types($1)", [{"task_type": "noop", "code_version": "1"}])
        yield opened


@asynccontextmanager
async def running(
    db: Database, *followers: Follower, relay_id: str = "r-1"
) -> AsyncIterator[tuple[Relay, asyncio.Event]]:
    """A relay within the block, ended in order; the event ends it sooner."""
    async with Doorbell(db, SETTINGS.wakeup) as bell, Wakeups(db.dsn, SETTINGS.wakeup) as wakeups:
        relay, shutdown = Relay(SETTINGS, db, wakeups, bell, relay_id, followers), asyncio.Event()
        task = asyncio.create_task(relay.run(shutdown))
        try:
            yield relay, shutdown
        finally:
            shutdown.set()
            assert await task == 0


async def enqueue(db: Database, *params: dict[str, object]) -> list[Position]:
    """Tasks with these params; gives the positions of their events."""
    tasks = [{"task_type": "noop", "params": each} for each in params]
    done = await TaskStore(db).enqueue(tasks, actor="psql:test", ring=True)
    return [each.position for each in done if each.position]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that only a look can tell."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # it is written by the relay, which rings nobody for it


async def echoes(db: Database, name: str = "echo") -> list[Position]:
    rows = await db.fetch(
        "SELECT (data ->> 'of')::bigint FROM events WHERE stream_id = $1 AND type = 'echo.made'"
        " ORDER BY position",
        name,
    )
    return [row[0] for row in rows]


async def reached(db: Database, name: str, position: Position) -> None:
    """Wait until a follower has come so far."""

    async def is_there() -> bool:
        return int(await db.fetchval("SELECT position FROM followers WHERE name = $1", name) or 0) >= position

    await until(is_there)


async def parked(db: Database) -> list[tuple[str, Position, str, int]]:
    rows = await db.fetch("SELECT follower, position, error, times FROM parked_events ORDER BY 1, 2")
    return [tuple(row) for row in rows]


async def test_each_event_is_done_once_and_in_order_also_over_restarts(db: Database) -> None:
    wanted = await enqueue(db, {}, {}, {})
    async with running(db, Echo()):
        wanted += await enqueue(db, {}, {})
        await reached(db, "echo", wanted[-1])
    wanted += await enqueue(db, {})
    async with running(db, Echo(), relay_id="r-2"):
        await reached(db, "echo", wanted[-1])
    assert await echoes(db) == wanted


async def test_the_checkpoint_moves_over_events_that_nobody_wants(db: Database) -> None:
    position = await db.fetchval("SELECT pause_queue('default')")
    async with running(db, Echo()):
        await reached(db, "echo", position)
    assert await echoes(db) == []


async def test_an_event_in_an_open_transaction_is_waited_for(db: Database) -> None:
    async with running(db, Echo()):
        async with db.transaction() as late:
            first = await late.fetchval(
                "SELECT position FROM enqueue_tasks($1)", [{"task_type": "noop", "params": {}}]
            )
            (second,) = await enqueue(db, {})
            await db.fetch("SELECT open_follower('echo')")
            holder = await db.fetchval("SELECT held_by_pid FROM follower_lag")
            assert holder == await late.fetchval("SELECT pg_backend_pid()")
        await reached(db, "echo", second)
    assert await echoes(db) == [first, second]


async def test_a_poison_event_is_parked_and_holds_up_nobody(db: Database) -> None:
    echo, other = Echo(), Echo("other")
    good = {"n": 1}
    positions = await enqueue(db, good, good, {"poison": "echo"}, good, {"poison": "echo"}, good, good)
    async with running(db, echo, other):
        await reached(db, "echo", positions[-1])
        await reached(db, "other", positions[-1])
    bad = [positions[2], positions[4]]
    assert await parked(db) == [("echo", position, "ValueError: bitter", 1) for position in bad]
    assert await echoes(db) == [each for each in positions if each not in bad]
    assert await echoes(db, "other") == positions
    told = await db.fetch("SELECT data, actor, causation_id FROM events WHERE type = 'follower.parked'")
    assert [row[0]["position"] for row in told] == bad == [row[2] for row in told]
    assert {row[1] for row in told} == {"relay"}


async def test_a_parked_event_is_done_by_hand_once_it_can_be(db: Database) -> None:
    echo = Echo()
    (bad,) = await enqueue(db, {"poison": "echo"})
    async with running(db, echo):
        await reached(db, "echo", bad)
        with pytest.raises(StillFails, match="bitter"):
            await retry(db, echo, bad, actor="psql:me")
        assert len(await parked(db)) == 1 and await echoes(db) == []
        echo.mended = True
        await retry(db, echo, bad, actor="psql:me")
    assert await parked(db) == [] and await echoes(db) == [bad]
    with pytest.raises(NotFound, match="not parked"):
        await retry(db, echo, bad, actor="psql:me")
    resumed = await db.fetchrow("SELECT actor, data FROM events WHERE type = 'follower.resumed'")
    assert resumed is not None and (resumed[0], resumed[1]["position"]) == ("psql:me", bad)


async def test_a_parked_event_can_be_given_up(db: Database) -> None:
    (bad,) = await enqueue(db, {"poison": "echo"})
    async with running(db, Echo()):
        await reached(db, "echo", bad)
    await give_up(db, "echo", bad, "the address is gone", actor="psql:me")
    assert await parked(db) == [] and await echoes(db) == []
    with pytest.raises(NotFound):
        await give_up(db, "echo", bad, "again", actor="psql:me")


async def test_an_effect_that_fails_now_and_then_is_tried_again(db: Database) -> None:
    class Moody(Echo):
        moods = 1

        async def apply(self, db: Session, events: Sequence[Event], effects: bool) -> None:
            if len(events) == 1 and self.moods:
                self.moods -= 1
                raise OSError("not now")
            await super().apply(db, events, effects)

    (position,) = await enqueue(db, {})
    async with running(db, Moody()):
        await reached(db, "echo", position)
    assert await echoes(db) == [position] and await parked(db) == []


async def test_rewound_without_effects_it_is_quiet_up_to_where_it_was(db: Database) -> None:
    echo = Echo()
    positions = await enqueue(db, {}, {"poison": "echo"}, {})
    async with running(db, echo):
        await reached(db, "echo", positions[-1])
        echo.mended = True
        assert await rewind(db, echo, 0, effects=False, actor="psql:me") >= positions[-1]
        last = (await enqueue(db, {}))[0]
        await reached(db, "echo", last)
    rows = await db.fetch(
        "SELECT data ->> 'of', data ->> 'effects' FROM events WHERE type = 'echo.made' ORDER BY position"
    )
    quiet = [(str(positions[0]), "false"), (str(positions[2]), "false")]
    assert [tuple(row) for row in rows][2:] == [*quiet, (str(last), "true")]
    assert [row[1] for row in await parked(db)] == [positions[1]], "what was parked stays so"


async def test_rewound_with_effects_everything_is_done_again_parked_events_too(db: Database) -> None:
    echo = Echo()
    positions = await enqueue(db, {}, {"poison": "echo"})
    async with running(db, echo):
        await reached(db, "echo", positions[-1])
        echo.mended = True
        await rewind(db, echo, 0, effects=True, actor="psql:me")
        last = (await enqueue(db, {}))[0]
        await reached(db, "echo", last)
    assert await echoes(db) == [positions[0], *positions, last]
    assert await parked(db) == []


async def test_webhooks_are_asked_for_once_however_often_their_follower_is_rewound(db: Database) -> None:
    """Nothing is sent meanwhile: the endpoint is paused."""
    url, webhooks = "https://shop.example/hook", Webhooks()
    await db.fetch("SELECT change_endpoint($1, 'paused', 'they deploy')", url)

    async def end_a_task() -> Position:
        task_id = await db.fetchval("SELECT enqueue_task('noop', webhook_url => $1)", url)
        return int((await db.fetch("SELECT position FROM cancel_tasks(ARRAY[$1])", task_id))[0][0])

    ends = [await end_a_task(), await end_a_task()]
    async with running(db, webhooks):
        await reached(db, "webhooks", ends[-1])
        for effects in (False, True):
            await rewind(db, webhooks, 0, effects=effects, actor="psql:me")
            ends.append(await end_a_task())
            await reached(db, "webhooks", ends[-1])
    asked = await db.fetch(
        "SELECT event_position, sequence, version FROM webhook_deliveries ORDER BY sequence"
    )
    assert [tuple(row) for row in asked] == [(end, n, 1) for n, end in enumerate(ends, 1)]


async def test_a_follower_cannot_be_sent_ahead_or_before_the_log(db: Database) -> None:
    with pytest.raises(NotFound, match="Follower not found"):
        await rewind(db, Echo(), 0, effects=False, actor="psql:me")
    await db.fetch("SELECT open_follower('echo', 5)")
    for position in (6, -1):
        with pytest.raises(Invalid):
            await rewind(db, Echo(), position, effects=False, actor="psql:me")
    with pytest.raises(NotFound) as caught:
        follower_of("nope")
    assert "task_counts" in caught.value.hint


async def test_tasks_are_counted_by_type_and_hour_and_counting_anew_gives_the_same(db: Database) -> None:
    await enqueue(db, {}, {}, {})
    task_id = await db.fetchval("SELECT task_id FROM background_tasks LIMIT 1")
    await db.fetchval("SELECT cancel_task($1)", task_id)
    counts = TASK_COUNTS
    async with running(db, counts):
        await db.fetch("SELECT claim_tasks('w-1', '{default}', '{noop}', 1)")
        (row,) = await db.fetch("SELECT task_id, lease FROM background_tasks WHERE status = 'running'")
        await db.fetch("SELECT complete_task($1, $2)", *row)
        head = await db.fetchval("SELECT max(position) FROM events")
        await reached(db, "task_counts", head)
        once = await db.fetch("SELECT * FROM task_counts")
        assert await db.fetchrow(COUNTED) == await db.fetchrow(IN_LOG)
        for position in (0, head // 2):
            await rewind(db, counts, position, effects=False, actor="psql:me")
            await enqueue(db)
            await reached(db, "task_counts", head)
            assert await db.fetch("SELECT * FROM task_counts") == once


async def test_the_leader_counts_the_past_on(db: Database) -> None:
    await db.fetch("SELECT enqueue_task('noop', ring => false) FROM generate_series(1, 2100)")
    async with running(db):

        async def is_marked() -> bool:
            return bool(await db.fetchval("SELECT count(*) FROM depth_marks"))

        await until(is_marked)


async def test_the_next_relay_leads_when_the_first_ends(db: Database) -> None:
    async with running(db, Echo(), relay_id="r-1") as (first, shutdown):
        await first.lease.won()
        async with running(db, Echo(), relay_id="r-2") as (second, _):
            await second.lease.known.wait()
            assert second.lease.term is None
            assert await db.fetchval("SELECT count(*) FROM relays") == 2
            shutdown.set()
            assert await second.lease.won() == 2
            (position,) = await enqueue(db, {})
            await reached(db, "echo", position)
    assert await echoes(db) == [position]
    assert await db.fetchval("SELECT count(*) FROM relays") == 0


async def test_a_relay_that_cannot_renew_stops_leading_by_itself(db: Database) -> None:
    async with running(db, Echo()) as (relay, _):
        term = await relay.lease.won()
        async with db.transaction() as blocker:
            # What a database that does not answer looks like from here.
            await blocker.fetch("LOCK TABLE relays IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(10):
                await relay.lease.ended(term)
            assert relay.lease.term is None
        # The same term, if nobody else led meanwhile and the answer came late; else another.
        assert await relay.lease.won() >= term
        (position,) = await enqueue(db, {})
        await reached(db, "echo", position)
    assert await echoes(db) == [position]


async def test_a_database_of_another_release_is_refused(db: Database) -> None:
    await db.fetch("DROP TABLE relays")
    with pytest.raises(Conflict, match="schema"):
        await serve(SETTINGS, db.dsn, asyncio.Event())
