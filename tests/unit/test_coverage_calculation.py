"""What counts come to, to the last digit."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.coverage.calculation import Coverage, NodeCoverage, ScopeNode, cover, find_gaps, percent

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def scope(*targets: int, names: str = "abcdefghij") -> list[ScopeNode]:
    return [ScopeNode(uuid4(), name, target) for name, target in zip(names, targets, strict=False)]


def covered(counts: list[int], targets: list[int]) -> Coverage:
    nodes = scope(*targets)
    given = {node.node_id: count for node, count in zip(nodes, counts, strict=True)}
    return Coverage(cover(nodes, given), 0, 0, "1.0.0", NOW)


def test_counts_8_4_2_with_targets_of_10_are_46_67() -> None:
    coverage = covered([8, 4, 2], [10, 10, 10])
    assert coverage.overall == 46.67
    assert sorted(coverage.node_coverage.values()) == [20.0, 40.0, 80.0]


def test_the_node_that_misses_most_is_the_first_gap() -> None:
    gaps = find_gaps(covered([8, 4, 2], [10, 10, 10]).nodes, 0.5)
    assert [(gap.document_count, gap.missing_docs) for gap in gaps] == [(2, 8), (4, 6)]
    assert gaps[0].recommendation == f"Collect 8 more documents for {gaps[0].label}"


def test_a_surplus_does_not_hide_a_gap() -> None:
    assert covered([100, 0], [10, 10]).overall == 50.0
    assert covered([100], [10]).overall == 100.0


def test_a_node_without_documents_counts_zero() -> None:
    (only,) = cover(scope(10), {})
    assert (only.count, only.percent, only.missing) == (0, 0.0, 10)


def test_an_empty_scope_is_0() -> None:
    empty = Coverage((), 0, 0, "1.0.0", NOW)
    assert empty.overall == 0.0 and empty.result()["node_coverage"] == {}


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 3, 33.33), (2, 3, 66.67), (1, 800, 0.13), (3, 800, 0.38), (1, 20_000, 0.01), (14, 30, 46.67)],
)
def test_percentages_are_rounded_half_up(part: int, whole: int, expected: float) -> None:
    assert percent(part, whole) == expected


def test_gaps_are_compared_before_rounding() -> None:
    almost_half = NodeCoverage(ScopeNode(UUID(int=1), "almost", 100_000), 49_999)
    half = NodeCoverage(ScopeNode(UUID(int=2), "half", 100_000), 50_000)
    assert almost_half.percent == half.percent == 50.0
    assert [gap.label for gap in find_gaps([almost_half, half], 0.5)] == ["almost"]


def test_a_threshold_of_1_shows_every_node_that_lacks_something_and_0_none() -> None:
    nodes = covered([10, 9, 0], [10, 10, 10]).nodes
    assert len(find_gaps(nodes, 1.0)) == 2 and find_gaps(nodes, 0.0) == []


counts_and_targets = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(1, 9_999_999)), min_size=1, max_size=10
)


@given(counts_and_targets)
def test_coverage_is_a_percentage_and_the_result_agrees_with_history(pairs: list[tuple[int, int]]) -> None:
    coverage = covered([count for count, _ in pairs], [target for _, target in pairs])
    values = [coverage.overall, *coverage.node_coverage.values()]
    assert all(0 <= value <= 100 and round(value, 2) == value for value in values)
    assert coverage.result()["coverage_percent"] == coverage.facts()["overall_coverage"]


@given(counts_and_targets)
def test_another_document_never_lowers_coverage(pairs: list[tuple[int, int]]) -> None:
    before = covered([count for count, _ in pairs], [target for _, target in pairs])
    after = covered([count + 1 for count, _ in pairs], [target for _, target in pairs])
    assert after.overall >= before.overall


def test_node_percentages_derive_from_the_facts_of_the_event() -> None:
    coverage = covered([8, 4, 2], [10, 5, 3])
    facts = coverage.facts()
    derived = {
        node: percent(min(count, facts["target_counts"][node]), facts["target_counts"][node])
        for node, count in facts["document_counts"].items()
    }
    assert derived == coverage.node_coverage
