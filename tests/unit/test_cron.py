"""When schedules are due, where clocks change and where they do not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Invalid
from service.model.cron import Cron

# zone, expression, from (UTC), due times (local, with their offsets)
TABLE = [
    # Berlin, 29 March 2026: 02:00 +01:00 becomes 03:00 +02:00 at 01:00Z.
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", "29T03:00+02:00 30T02:30+02:00"),
    ("Europe/Berlin", "0,30 2 * * *", "2026-03-28T12:00", "29T03:00+02:00 30T02:00+02:00 30T02:30+02:00"),
    ("Europe/Berlin", "30 1-3 29 3 *", "2026-03-28T12:00", "29T01:30+01:00 29T03:00+02:00 29T03:30+02:00"),
    ("Europe/Berlin", "0 3 * * *", "2026-03-28T12:00", "29T03:00+02:00 30T03:00+02:00"),
    ("Europe/Berlin", "30 * * * *", "2026-03-29T00:00", "29T01:30+01:00 29T03:30+02:00 29T04:30+02:00"),
    ("Europe/Berlin", "*/30 2 * * *", "2026-03-28T12:00", "30T02:00+02:00 30T02:30+02:00"),
    # Berlin, 25 October 2026: 03:00 +02:00 becomes 02:00 +01:00 at 01:00Z.
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "25T02:30+02:00 26T02:30+01:00"),
    ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:10", "26T02:30+01:00"),
    ("Europe/Berlin", "30 * * * *", "2026-10-25T00:00", "25T02:30+02:00 25T02:30+01:00 25T03:30+01:00"),
    ("Europe/Berlin", "*/30 2 * * *", "2026-10-24T22:30", "25T02:00+02:00 25T02:30+02:00 25T02:00+01:00"),
    ("Europe/Berlin", "5 * * * *", "2026-10-25T00:10", "25T02:05+01:00 25T03:05+01:00"),
    # New York, 8 March and 1 November 2026.
    ("America/New_York", "30 2 * * *", "2026-03-07T12:00", "08T03:00-04:00 09T02:30-04:00"),
    ("America/New_York", "15 1 * * *", "2026-10-31T12:00", "01T01:15-04:00 02T01:15-05:00"),
    ("America/New_York", "0 * * * *", "2026-11-01T04:30", "01T01:00-04:00 01T01:00-05:00 01T02:00-05:00"),
    # Seoul does not change its clocks.
    ("Asia/Seoul", "0 9 * * MON-FRI", "2026-11-20T00:00", "23T09:00+09:00 24T09:00+09:00"),
    ("Asia/Seoul", "0 0 1 * *", "2026-12-31T14:59", "01T00:00+09:00"),
    # Lord Howe changes by half an hour: 5 April 2026 02:00 -> 01:30, 4 October 2026 02:00 -> 02:30.
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", "05T01:45+11:00 06T01:45+10:30"),
    ("Australia/Lord_Howe", "*/20 3 * * *", "2026-04-04T12:00", "05T03:00+10:30 05T03:20+10:30"),
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", "04T02:30+11:00 05T02:15+11:00"),
    ("Australia/Lord_Howe", "*/20 3 * * *", "2026-10-03T12:00", "04T03:00+11:00 04T03:20+11:00"),
    ("Australia/Lord_Howe", "*/15 * * * *", "2026-10-03T15:25", "04T02:30+11:00 04T02:45+11:00"),
]


@pytest.mark.parametrize(("zone", "expression", "start", "expected"), TABLE)
def test_due_times_where_clocks_change(zone: str, expression: str, start: str, expected: str) -> None:
    due = Cron(expression, zone).next(
        datetime.fromisoformat(start).replace(tzinfo=UTC), len(expected.split())
    )
    assert [
        each.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[8:] for each in due
    ] == expected.split()


def test_in_utc_it_is_what_cronsim_says() -> None:
    start = datetime(2026, 2, 27, 23, 59, 30, tzinfo=UTC)
    for expression in ("0 0 L * *", "15,45 */6 * * *", "0 12 * * 5L", "0 0 29 2 *", "*/7 1-5 * * 1#2"):
        walk = CronSim(expression, start)
        assert Cron(expression).next(start, 4) == [next(walk) for _ in range(4)], expression


ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Seoul", "UTC"])
EXPRESSIONS = st.sampled_from(
    ["30 2 * * *", "*/20 * * * *", "15 1,2,3 * * *", "*/10 2 * * *", "0 0 1 * *", "*/30 2 25 10 *"]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@settings(max_examples=50)
@given(ZONES, EXPRESSIONS, MOMENTS)
def test_asked_step_by_step_or_at_once_the_due_times_are_the_same(
    zone: str, expression: str, start: datetime
) -> None:
    """What a relay does that works out the next due time from the last one."""
    cron = Cron(expression, zone)
    at_once = cron.next(start, 12)
    assert at_once[0] > start and at_once == sorted(set(at_once))
    moment = start
    for due in at_once:
        (moment,) = cron.next(moment, 1)
        assert moment == due


# Hours of days on which the clocks of some zone change.
CHANGES = st.builds(
    lambda day, hours: datetime.fromisoformat(f"2026-{day}").replace(tzinfo=UTC) - timedelta(hours=hours),
    st.sampled_from(["03-08", "03-29", "04-05", "10-04", "10-25", "11-01", "06-15"]),
    st.floats(-24, 24),
)


@settings(max_examples=50)
@given(ZONES, st.sampled_from(["*/20 * * * *", "*/15 2 * * *", "7 * * * *"]), CHANGES)
def test_a_rhythm_is_every_instant_whose_local_time_matches(
    zone: str, expression: str, start: datetime
) -> None:
    """Against the plainest way: look at each minute of two days."""
    minute = start.replace(second=0, microsecond=0)
    fields = CronSim(expression, datetime(2026, 1, 1))
    matches = []
    for _ in range(2 * 24 * 60):
        minute += timedelta(minutes=1)
        local = minute.astimezone(ZoneInfo(zone))
        if local.minute in fields.minutes and local.hour in fields.hours:
            matches.append(minute)
    assert Cron(expression, zone).next(start, len(matches)) == matches


def test_the_last_due_time_and_how_many_came_before_it() -> None:
    cron, start = Cron("*/5 * * * *"), datetime(2026, 1, 1, tzinfo=UTC)
    now = datetime(2026, 1, 2, 0, 7, 30, tzinfo=UTC)
    last = cron.last(start, now)
    assert last == datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
    assert cron.count(start, last) == 288
    assert cron.last(last, now) is None
    assert Cron("0 0 1 1 *").last(datetime(2020, 6, 1, tzinfo=UTC), now) == start
    assert Cron("0 0 29 2 *").last(datetime(1999, 1, 1, tzinfo=UTC), now) == datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "says"),
    [
        ("* * * *", "UTC", "4 fields"),
        ("0 0 * * * *", "UTC", "6 fields"),
        ("60 * * * *", "UTC", "Bad minute"),
        ("5-1 * * * *", "UTC", "Bad minute"),
        ("0 0 30 2 *", "UTC", "day-of-month"),
        ("@daily", "UTC", "1 fields"),
        ("0 0 * * *", "Europe/Berln", "Unknown time zone"),
        ("0 0 * * *", "", "Unknown time zone"),
        ("0 0 * * *", "../etc/passwd", "Unknown time zone"),
    ],
)
def test_what_is_never_due_is_refused(expression: str, zone: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        Cron(expression, zone)


def test_the_nearest_zones_are_named() -> None:
    with pytest.raises(Invalid) as caught:
        Cron("0 0 * * *", "Europe/Berln")
    assert "Europe/Berlin" in caught.value.hint
