"""Figures and what several rounds of them say together."""

import statistics
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
