"""What several queues' figures say beside each other: medians, spreads, and ratios of ours to theirs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.bench.figures import Figure, Summary, summarize
from service.bench.peers.catalogue import OURS, Contender

# Of everything else less is better: milliseconds, bytes, rows, transactions.
MORE_IS_BETTER = ("tasks/s", "x")


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
    def more_is_better(self) -> bool:
        """Whether the higher value is the better one."""
        return self.unit in MORE_IS_BETTER

    def ratio(self, other: str | None) -> float | None:
        """Our median by the other's; None when one is missing, or there is nothing to divide by."""
        if other is None or other not in self.found or OURS not in self.found:
            return None
        median = self.found[other].median
        return self.found[OURS].median / median if median else None

    def best_other(self, contenders: Iterable[Contender]) -> str | None:
        """The queue with the best median that is neither ours nor a limit; None when there is none."""
        names = [c.name for c in contenders if c.name != OURS and not c.limit and c.name in self.found]
        choose = max if self.more_is_better else min
        return choose(names, key=lambda name: self.found[name].median, default=None)


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
        *(line.workload, line.metric, line.unit, "more" if line.more_is_better else "less"),
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
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
