"""What counts come to: percentages, the overall coverage, and gaps. Pure: no I/O and no clock.

A surplus in one node does not hide a gap in another: what exceeds a node's target does not count. Everything
is computed exactly and rounded once, half up, to two decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class ScopeNode:
    """A node in an agent's scope, and how many documents it needs (at least 1)."""

    node_id: UUID
    label: str
    target: int


@dataclass(frozen=True, slots=True)
class NodeCoverage:
    """A node with its count of documents."""

    node: ScopeNode
    count: int

    @property
    def percent(self) -> float:
        """0 to 100, rounded."""
        return percent(min(self.count, self.node.target), self.node.target)

    @property
    def missing(self) -> int:
        """Documents that are missing; never negative."""
        return max(self.node.target - self.count, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One measurement. `overall` is 0 to 100; `version` is the taxonomy's."""

    nodes: tuple[NodeCoverage, ...]
    total_documents: int
    total_chunks: int
    version: str
    measured_at: datetime

    @property
    def overall(self) -> float:
        """Sum of min(count, target) over the sum of targets, rounded; 0.0 for an empty scope."""
        reached = sum(min(each.count, each.node.target) for each in self.nodes)
        return percent(reached, sum(each.node.target for each in self.nodes))

    @property
    def node_coverage(self) -> dict[str, float]:
        """Percentage by node id."""
        return {str(each.node.node_id): each.percent for each in self.nodes}

    def summary(self) -> dict[str, Any]:
        """The facts without those of single nodes, as an agent's first state keeps them."""
        return {
            "measured_at": self.measured_at.isoformat(),
            "overall_coverage": self.overall,
            "total_documents": self.total_documents,
            "total_chunks": self.total_chunks,
            "version": self.version,
        }

    def facts(self) -> dict[str, Any]:
        """The data of coverage.measured, without agent_id and task_id."""
        return self.summary() | {
            "document_counts": {str(each.node.node_id): each.count for each in self.nodes},
            "target_counts": {str(each.node.node_id): each.node.target for each in self.nodes},
        }

    def result(self) -> dict[str, Any]:
        """The result of a coverage task; its coverage_percent equals the history's overall_coverage."""
        return {
            "coverage_percent": self.overall,
            "node_coverage": self.node_coverage,
            "total_documents": self.total_documents,
            "total_chunks": self.total_chunks,
        }


@dataclass(frozen=True, slots=True)
class Gap:
    """A node that lacks documents, and what to do about it."""

    node_id: UUID
    label: str
    coverage_percent: float
    document_count: int
    target_count: int
    missing_docs: int
    recommendation: str


def percent(part: int, whole: int) -> float:
    """`part` of `whole` in percent, rounded half up to two decimals; 0.0 of nothing."""
    if whole == 0:
        return 0.0
    return float((Decimal(part) * 100 / Decimal(whole)).quantize(CENT, rounding=ROUND_HALF_UP))


def cover(nodes: Sequence[ScopeNode], counts: Mapping[UUID, int]) -> tuple[NodeCoverage, ...]:
    """Each node with its count; a node without documents counts 0."""
    return tuple(NodeCoverage(node, counts.get(node.node_id, 0)) for node in nodes)


def find_gaps(nodes: Sequence[NodeCoverage], threshold: float) -> list[Gap]:
    """Nodes covered less than `threshold` (0 to 1), those that miss most first.

    Compared before rounding: 49.996 % is below 0.5.
    """
    limit = Decimal(str(threshold))
    lacking = [each for each in nodes if each.count < limit * each.node.target]
    return [_gap(each) for each in sorted(lacking, key=lambda each: (-each.missing, each.node.label))]


def _gap(each: NodeCoverage) -> Gap:
    return Gap(
        node_id=each.node.node_id,
        label=each.node.label,
        coverage_percent=each.percent,
        document_count=each.count,
        target_count=each.node.target,
        missing_docs=each.missing,
        recommendation=f"Collect {each.missing} more documents for {each.node.label}",
    )
