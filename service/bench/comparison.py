"""What several queues' figures say beside each other: medians, spreads, and ratios of ours to theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.bench.figures import Figure, Summary, summarize
from service.bench.peers.catalogue import OURS, Contender

# Of everything else less is better: milliseconds, bytes, rows, transactions.
MORE_IS_BETTER = ("tasks/s", "x")
NEITHER_IS_BETTER = ("rows kept",)


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of one queue in one round."""

    queue: str
    round: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of one workload; `found` is by the queue's name, and lacks those that gave none."""

    workload: str
    metric: str
    unit: str
    found: Mapping[str, Summary]

    @property
    def better(self) -> str:
        """Whether "more" or "less" is better; "" where that is a matter of what one wants."""
        if self.metric in NEITHER_IS_BETTER:
            return ""
        return "more" if self.unit in MORE_IS_BETTER else "less"

    def ratio(self, other: str | None) -> float | None:
        """Our median by the other's; None when one is missing, or there is nothing to divide by."""
        if other is None or not self.better or not {other, OURS} <= self.found.keys():
            return None
        median = self.found[other].median
        return self.found[OURS].median / median if median else None

    def best_other(self, contenders: Iterable[Contender]) -> str | None:
        """The queue with the best median that is neither ours nor a limit; None when there is none."""
        names = [c.name for c in contenders if c.name != OURS and not c.limit and c.name in self.found]
        ordered = sorted(names, key=lambda name: self.found[name].median)
        return None if not ordered or not self.better else ordered[-1 if self.better == "more" else 0]


def compare(measured: Iterable[Measured]) -> list[Line]:
    """One line for each workload, metric and unit, in the order of their first appearance."""
    by_queue: dict[str, list[Figure]] = {}
    names: dict[tuple[str, str, str], None] = {}
    for one in measured:
        by_queue.setdefault(one.queue, []).append(one.figure)
        names[one.figure.workload, one.figure.metric, one.figure.unit] = None
    summaries = {
        (queue, summary.workload, summary.metric, summary.unit): summary
        for queue, figures in by_queue.items()
        for summary in summarize(figures)
    }
    return [
        Line(*name, {queue: summaries[queue, *name] for queue in by_queue if (queue, *name) in summaries})
        for name in names
    ]


def columns(contenders: Sequence[Contender]) -> list[str]:
    """The heading of `row`."""
    queues = [contender.name for contender in contenders]
    ratios = [f"{OURS} / {name}" for name in queues if name != OURS]
    return ["workload", "metric", "unit", "better", *queues, "best other", f"{OURS} / best", *ratios]


def row(line: Line, contenders: Sequence[Contender]) -> list[str]:
    """One line as text: medians with their spread, then ratios."""
    best = line.best_other(contenders)
    others = [contender.name for contender in contenders if contender.name != OURS]
    return [
        *(line.workload, line.metric, line.unit, line.better or "-"),
        *(spread(line.found.get(contender.name)) for contender in contenders),
        best or "-",
        *(_ratio(line.ratio(other)) for other in (best, *others)),
    ]


def spread(summary: Summary | None) -> str:
    """The median, and the lowest and highest when there were several rounds."""
    if summary is None:
        return "-"
    if summary.rounds == 1:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.low)}-{number(summary.high)})"


def number(value: float) -> str:
    """Three digits that mean something are enough."""
    if 0 < value < 0.1:
        return f"{value:.4f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
