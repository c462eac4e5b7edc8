"""Figures and what several rounds of them say together."""

import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value: of which workload, what, how much, in which unit."""

    workload: str
    metric: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The same figure over all rounds: the median, and the lowest and highest."""

    workload: str
    metric: str
    unit: str
    median: float
    low: float
    high: float
    rounds: int


def summarize(figures: Iterable[Figure]) -> list[Summary]:
    """One summary for each workload and metric, in the order of their first appearance."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for figure in figures:
        values.setdefault((figure.workload, figure.metric, figure.unit), []).append(figure.value)
    return [
        Summary(*name, statistics.median(found), min(found), max(found), len(found))
        for name, found in values.items()
    ]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0..1) of an ordered, non-empty sequence does not exceed (nearest rank)."""
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def edges(ends: Sequence[float], size: int) -> tuple[float, float]:
    """The rates in the first and in the last tenth of a run of turns of `size`, by when each turn ended."""
    # A turn lies evenly between the end of the one before and its own, so a tenth need not end with a turn.
    whole = ends[-1]

    def done(moment: float) -> float:
        turn = bisect_left(ends, moment)
        start = ends[turn - 1] if turn else 0.0
        return size * (turn + (moment - start) / (ends[turn] - start))

    tenth = whole / 10
    return done(tenth) / tenth, (size * len(ends) - done(whole - tenth)) / tenth
