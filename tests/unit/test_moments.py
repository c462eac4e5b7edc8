"""A moment is a position, a time or an age."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from service.audit.moments import Moment


def test_digits_are_a_position_and_the_rest_a_time() -> None:
    moment = Moment()
    assert moment.convert("4711", None, None) == 4711
    assert moment.convert("2026-01-31T12:00", None, None) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    age = datetime.now(UTC) - moment.convert("30m", None, None)
    assert timedelta(minutes=29) < age < timedelta(minutes=31)


def test_a_moment_that_is_one_already_stays_as_it_is() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert [Moment().convert(value, None, None) for value in (7, noon)] == [7, noon]


def test_what_is_neither_says_what_would_be() -> None:
    with pytest.raises(click.BadParameter, match="an age such as 30m"):
        Moment().convert("soon", None, None)
