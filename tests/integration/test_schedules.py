"""Schedules: when they fire, by which clock, from where they are defined, and what a person sees."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.errors import Invalid, LeaseLost, NotFound, SettingsError
from service.relay.configured import check, put_in_force
from service.relay.scheduler import Scheduler
from service.sections import ScheduleSettings
from service.settings import load
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.schedules import Fired, Schedule, ScheduleStore
from service.store.wakeups import Wakeup
from tests.api_server import Api
from tests.api_server import running as api_running

SETTINGS = load({"environment": "test"})
NOOP = {"task_type": "noop", "params": {"n": 1}}
FIRED = "SELECT data, actor, correlation_id FROM events WHERE type = 'schedule.fired' ORDER BY position"


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with await Database.open(SETTINGS.database, database) as opened:
        await opened.fetchval(
            "SELECT publish_task_types($1)",
            [
                {"task_type": "noop", "code_version": "1"},
                {"task_type": "strict", "code_version": "1", "params_schema": {"required": ["month"]}},
            ],
        )
        yield opened


class Clockwork:
    """A scheduler that leads, on a clock of the test's own: `at` is what the database says it is."""

    def __init__(self, db: Database) -> None:
        self.db, self.store = db, ScheduleStore(db)
        bell = Doorbell(db, SETTINGS.wakeup)
        self.scheduler = Scheduler(db, SETTINGS.relay, Wakeup("annals_relay"), bell, "r-1")

    async def look_at(self, now: datetime) -> None:
        """What a relay does that looks at this moment, until nothing is due any more."""
        await self.db.fetch("SELECT lead_relay('r-1', 'h', 1, NULL, 600)")
        term = await self.db.fetchval("SELECT term FROM relay_lease")
        self.scheduler._schedules = FixedClock(self.db, now)
        while await self.scheduler.look(term) == 0:
            pass

    async def define(self, at: datetime, **definition: Any) -> None:
        await self.db.fetch(
            "SELECT set_schedule('s', $1, at => $2)", {"cron": "0 3 * * *"} | NOOP | definition, at
        )

    async def fired(self) -> list[str]:
        """Due times of the fires so far, as the log has them."""
        rows = await self.db.fetch(FIRED)
        return [
            datetime.fromisoformat(row[0]["due_at"]).astimezone(UTC).strftime("%m-%d %H:%M") for row in rows
        ]


class FixedClock(ScheduleStore):
    """The store of production, with the database's time as an argument of what it calls."""

    def __init__(self, db: Database, now: datetime) -> None:
        super().__init__(db)
        self._now = now

    async def list(self, *, enabled_only: bool = False) -> list[Schedule]:
        return [replace(row, now=self._now) for row in await super().list(enabled_only=enabled_only)]

    async def _fire(self, *arguments: Any) -> Any:
        row = await self._db.fetchrow(
            "SELECT outcome, task_id, position, queue, error FROM fire_schedule($1, due_at => $2,"
            " next_due_at => $3, version => $4, missed => $5, actor => $6, ring => $7, relay_id => $8,"
            " term => $9, correlation_id => $10, at => $11)",
            *arguments,
            self._now,
        )
        assert row is not None
        return Fired(*row)


@pytest.fixture
def clock(db: Database) -> Clockwork:
    return Clockwork(db)


def day(number: int, hour: int = 0, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, number, hour, minute, tzinfo=UTC)


async def test_it_fires_when_due_once_and_names_itself(clock: Clockwork) -> None:
    await clock.define(day(1))
    await clock.look_at(day(1, 2, 59))
    assert await clock.fired() == []
    for _ in range(3):
        await clock.look_at(day(1, 3))
    await clock.look_at(day(2, 3, 1))
    assert await clock.fired() == ["03-01 03:00", "03-02 03:00"]
    rows = await clock.db.fetch("SELECT actor, correlation_id, data FROM events WHERE type = 'task.enqueued'")
    assert [row[0] for row in rows] == ["schedule:s"] * 2
    assert rows[0][1] == "schedule:s:2026-03-01T03:00:00Z"
    assert rows[0][2]["params"] == {"n": 1}
    (row,) = await clock.store.list()
    assert row.last_task_id is not None and row.last_due_at == day(2, 3)
    assert await clock.db.fetchval("SELECT next_due_at FROM schedules") == day(3, 3)


async def test_after_a_pause_it_fires_once_for_all_that_was_missed(clock: Clockwork) -> None:
    await clock.define(day(1), missed_fires="once")
    await clock.look_at(day(20, 12))
    assert await clock.fired() == ["03-20 03:00"]
    assert (await clock.db.fetchrow(FIRED))[0]["missed"] == 19  # type: ignore[index]
    await clock.look_at(day(21, 3))
    assert await clock.fired() == ["03-20 03:00", "03-21 03:00"]


async def test_or_passes_over_what_was_missed(clock: Clockwork) -> None:
    await clock.define(day(1), missed_fires="skip")
    await clock.look_at(day(20, 12))
    assert await clock.fired() == []
    await clock.look_at(day(21, 3) + timedelta(seconds=50))
    assert await clock.fired() == ["03-21 03:00"], "a minute late is not missed"


async def test_a_clock_that_jumps_back_fires_nothing_twice(clock: Clockwork) -> None:
    await clock.define(day(1), cron="0 * * * *")
    await clock.look_at(day(1, 5))
    await clock.look_at(day(1, 3, 30))
    await clock.look_at(day(1, 4))
    await clock.look_at(day(1, 5, 59))
    assert await clock.fired() == ["03-01 05:00"]
    await clock.look_at(day(1, 6))
    assert await clock.fired() == ["03-01 05:00", "03-01 06:00"]


@pytest.mark.parametrize(
    ("zone", "cron", "start", "expected"),
    [
        ("Europe/Berlin", "30 2 * * *", day(28, 12), ["03-29 01:00", "03-30 00:30"]),
        ("Europe/Berlin", "30 2 * * *", day(24, 12, month=10), ["10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "30 1 * * *", day(31, 12, month=10), ["11-01 05:30", "11-02 06:30"]),
        ("Asia/Seoul", "30 2 * * *", day(28, 12), ["03-28 17:30", "03-29 17:30"]),
        ("Australia/Lord_Howe", "15 2 * * *", day(3, 12, month=10), ["10-03 15:30", "10-04 15:15"]),
    ],
)
async def test_it_fires_once_a_day_where_clocks_change(
    clock: Clockwork, zone: str, cron: str, start: datetime, expected: list[str]
) -> None:
    """Looking every twenty minutes for two days, as a relay does every second."""
    await clock.define(start, cron=cron, time_zone=zone)
    for step in range(2 * 24 * 3 + 1):
        await clock.look_at(start + timedelta(minutes=20 * step))
    assert await clock.fired() == expected


async def test_what_falls_due_while_it_is_disabled_was_never_meant(clock: Clockwork) -> None:
    await clock.define(day(1))
    await clock.db.fetch("SELECT disable_schedule('s', at => $1)", day(1, 1))
    await clock.look_at(day(5))
    await clock.define(day(5, 1))
    await clock.look_at(day(5, 2))
    assert await clock.fired() == []
    await clock.look_at(day(5, 3))
    assert await clock.fired() == ["03-05 03:00"]


async def test_other_parameters_leave_a_fire_overdue_and_another_time_begins_anew(clock: Clockwork) -> None:
    await clock.define(day(1))
    await clock.define(day(1, 4), params={"n": 2})
    await clock.look_at(day(1, 4, 30))
    assert await clock.fired() == ["03-01 03:00"]
    await clock.define(day(2, 4), params={"n": 2}, cron="30 3 * * *")
    await clock.look_at(day(2, 4, 30))
    assert await clock.fired() == ["03-01 03:00"]


async def test_a_fire_that_can_enqueue_nothing_is_recorded_and_the_next_one_comes(clock: Clockwork) -> None:
    params = {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}
    await clock.define(day(1), task_type="coverage_refresh", params=params)
    await clock.look_at(day(1, 3))
    await clock.look_at(day(2, 3))
    (row,) = await clock.store.list()
    assert row.last_error == f"Agent not found: {params['agent_id']}" and row.last_task_id is None
    assert await clock.fired() == ["03-01 03:00", "03-02 03:00"]
    with pytest.raises(NotFound, match="Agent not found"):
        await clock.store.fire("s", actor="psql:me")


async def test_an_old_leader_fires_nothing(clock: Clockwork) -> None:
    await clock.define(datetime.now(UTC) - timedelta(days=2))
    (row,) = await clock.store.list()
    due = row.when().last(row.counts_from, row.now)
    assert due is not None
    with pytest.raises(LeaseLost):
        await clock.store.fire_due(row, due, 0, "r-0", 1)
    assert await clock.fired() == []


async def test_a_schedule_that_this_machine_cannot_work_out_stops_no_other(clock: Clockwork) -> None:
    await clock.define(day(1), cron="0 0 30 2 *")
    await clock.db.fetch("SELECT set_schedule('t', $1, at => $2)", {"cron": "0 3 * * *"} | NOOP, day(1))
    await clock.look_at(day(1, 3))
    assert await clock.fired() == ["03-01 03:00"]


async def test_by_hand_it_fires_at_any_time_and_its_due_times_stay(clock: Clockwork) -> None:
    await clock.define(day(1), enabled=False)
    first, second = [await clock.store.fire("s", actor="psql:me") for _ in range(2)]
    assert first.outcome == "fired" and first.task_id != second.task_id
    rows = await clock.db.fetch(FIRED)
    assert [(row[0]["by_hand"], row[1]) for row in rows] == [(True, "psql:me")] * 2
    (row,) = await clock.store.list()
    assert (row.last_due_at, row.counts_from) == (None, day(1))
    assert row.next_fires() == []


async def test_the_configuration_is_in_force_and_a_change_by_hand_stays(db: Database) -> None:
    store = ScheduleStore(db)
    nightly = ScheduleSettings(cron="0 3 * * *", task_type="noop")
    weekly = ScheduleSettings(cron="0 4 * * SUN", task_type="noop", time_zone="Asia/Seoul", priority=2)
    await put_in_force(db, {"nightly": nightly, "weekly": weekly})
    await put_in_force(db, {"nightly": nightly, "weekly": weekly})
    log = "SELECT type, stream_id, actor FROM events WHERE stream_type = 'schedule' ORDER BY position"
    made = [("schedule.created", name, "config") for name in ("nightly", "weekly")]
    assert [tuple(row) for row in await db.fetch(log)] == made
    await store.disable("nightly", actor="psql:me")
    await put_in_force(db, {"nightly": nightly, "weekly": weekly})
    assert not (await store.get("nightly")).enabled, "a restart does not undo what a person did"
    later = nightly.model_copy(update={"cron": "0 5 * * *"})
    await put_in_force(db, {"nightly": later})
    assert ((await store.get("nightly")).cron, (await store.get("nightly")).enabled) == ("0 5 * * *", True)
    assert not (await store.get("weekly")).enabled and not (await store.get("weekly")).configured
    await put_in_force(db, {"nightly": later, "weekly": weekly})
    assert (await store.get("weekly")).enabled


def test_a_configuration_that_can_never_fire_is_refused_at_the_start() -> None:
    for wrong in ({"cron": "0 25 * * *"}, {"cron": "0 3 * * *", "time_zone": "Europe/Berln"}):
        with pytest.raises(SettingsError, match=r"schedules\.nightly"):
            check({"nightly": ScheduleSettings(task_type="noop", **wrong)})
    with pytest.raises(SettingsError, match=r"schedules\.nightly"):
        load({"schedules.nightly.cron": "0 3 * * *", "schedules.nightly.colour": "red"})


async def test_a_schedule_lacks_what_its_type_requires(db: Database) -> None:
    store = ScheduleStore(db)
    with pytest.raises(Invalid, match=r"lacks params\.month"):
        await store.set("s", {"cron": "0 3 * * *", "task_type": "strict"}, actor="psql:me")
    definition = {"cron": "0 3 * * *", "task_type": "strict", "params": {"month": None}}
    assert (await store.set("s", definition, actor="psql:me")).outcome == "created"
    assert (await store.get("s")).params == {"month": None}, "a null is a value"
    assert (await store.set("s", definition, actor="psql:me")).outcome == "unchanged"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with api_running(database) as api:
        yield api


async def test_over_http_a_schedule_is_put_shown_fired_and_disabled(api: Api) -> None:
    body = {"cron": "30 2 * * *", "time_zone": "Europe/Berlin", "task_type": "noop", "params": {"n": 1}}
    made = await api.call("PUT", "/schedules/nightly", body)
    assert made.status == 201 and int(made.headers["X-Position"]) == await api.head()
    assert len(made.json["next_fires"]) == 5 and made.json["next_fires"][0].endswith("Z")
    again = await api.call("PUT", "/schedules/nightly", body)
    assert again.status == 200 and "X-Position" not in again.headers
    assert (await api.call("GET", "/schedules/nightly")).json == made.json
    assert (await api.call("GET", "/schedules")).json["items"] == [made.json]
    key = {"Idempotency-Key": "k-1"}
    first, second = [await api.call("POST", "/schedules/nightly/fire", headers=key) for _ in range(2)]
    assert first.status == 202 and first.json == second.json
    assert (await api.call("GET", f"/tasks/{first.json['task_id']}")).json["status"] == "pending"
    for status in (204, 204):
        assert (await api.call("DELETE", "/schedules/nightly")).status == status
    shown = (await api.call("GET", "/schedules/nightly")).json
    assert (shown["enabled"], shown["next_fires"], shown["last_task_id"]) == (
        False,
        [],
        first.json["task_id"],
    )


@pytest.mark.parametrize(
    ("method", "path", "change", "status", "says"),
    [
        ("GET", "nope", None, 404, "Schedule not found: nope"),
        ("DELETE", "nope", None, 404, "Schedule not found: nope"),
        ("POST", "nope/fire", None, 404, "Schedule not found: nope"),
        ("PUT", "x", {"cron": "99 * * * *"}, 422, "Bad minute"),
        ("PUT", "x", {"cron": "0 0 30 2 *"}, 422, "day-of-month"),
        ("PUT", "x", {"cron": "* * * *"}, 422, "4 fields"),
        ("PUT", "x", {"time_zone": "Mars/Olympus"}, 422, "time zone"),
        ("PUT", "x", {"task_type": "nop"}, 422, "unknown task_type"),
        ("PUT", "x", {"priority": 11}, 422, "priority"),
        ("PUT", "x", {"missed_fires": "all"}, 422, "missed_fires"),
        ("PUT", "x", {"colour": "red"}, 422, "colour"),
        ("PUT", "x", {"params": [1]}, 422, "params"),
        ("PUT", "a%20b", {}, 422, "name"),
    ],
)
async def test_over_http_bad_input_says_what_is_wrong(
    api: Api, method: str, path: str, change: dict[str, Any] | None, status: int, says: str
) -> None:
    before = await api.head()
    body = {"cron": "0 3 * * *", "task_type": "noop"} | change if change is not None else None
    answer = await api.call(method, f"/schedules/{path}", body)
    assert answer.status == status and says in str(answer.json)
    assert await api.head() == before


async def test_two_who_create_one_at_once_create_one(db: Database) -> None:
    store = ScheduleStore(db)
    definition = {"cron": "0 3 * * *", "task_type": "noop"}
    done = await asyncio.gather(*(store.set("s", definition, actor="psql:me") for _ in range(5)))
    assert sorted(each.outcome for each in done) == ["created", *["unchanged"] * 4]
