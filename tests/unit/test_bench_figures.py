"""Rounds into medians, latencies into percentiles."""

import pytest

from service.bench.figures import Figure, Summary, percentile, summarize


def test_rounds_become_a_median_with_its_spread() -> None:
    rounds = [Figure("drain", "rate", value, "tasks/s") for value in (30.0, 10.0, 20.0)]
    other = Figure("drain", "WAL", 1.5, "bytes/task")
    assert summarize([*rounds, other]) == [
        Summary("drain", "rate", "tasks/s", 20.0, 10.0, 30.0, 3),
        Summary("drain", "WAL", "bytes/task", 1.5, 1.5, 1.5, 1),
    ]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)]
)
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0
