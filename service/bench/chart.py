"""The results as a picture: bars grouped by workload, each group on its own scale, ours highlighted.

Colours are those that can be read on white and on black; text is large enough for the width of a phone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from service.bench.comparison import Line, number
from service.bench.peers.catalogue import OURS, Contender

WIDTH, MARGIN = 800, 20
# Where bars begin, and how long the longest may be: the rest is for the values beside them.
BARS, LONGEST = 190, 330
BAR, ROW, GROUP, HEAD = 22, 31, 58, 104
TEXT, FAINT, OURS_COLOUR, OTHER_COLOUR = "#768390", "#8b949e", "#2f81f7", "#9aa5b1"
FONT = "-apple-system, 'Segoe UI', Roboto, 'Noto Sans', Helvetica, Arial, sans-serif"

# What is drawn of all that is measured, in this order, and what it is called.
GROUPS = {
    ("bulk", "rate"): "Enqueue in bulk",
    ("enqueue-1", "rate"): "Enqueue one by one, 1 client",
    ("enqueue-20", "rate"): "Enqueue one by one, 20 clients",
    ("drain", "rate"): "Drain, one worker process",
    ("steady", "rate"): "Producer and worker at the same time",
    ("churn", "rate at the end"): "Churn, after a while",
    ("churn-pinned", "rate at the end"): "Churn beside a forgotten transaction, after a while",
    ("wakeup", "p50"): "Wake-up, median",
    ("wakeup", "p95"): "Wake-up, 95 of 100",
    ("in all", "WAL"): "Write-ahead log",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What the figures were measured on, and when."""

    machine: str
    server: str
    date: str


def draw(lines: Sequence[Line], contenders: Sequence[Contender], heading: Heading) -> str:
    """An SVG document of those lines that have a place in the picture."""
    known = {(line.workload, line.metric): line for line in lines}
    groups = [(title, known[name]) for name, title in GROUPS.items() if name in known]
    parts: list[str] = []
    top = float(HEAD)
    for title, line in groups:
        parts += _group(title, line, contenders, top)
        top += GROUP + ROW * sum(contender.name in line.found for contender in contenders)
    title = " and ".join(["Annals", *(c.title for c in contenders if c.name != OURS)])
    return "\n".join([*_opening(title, heading, top + MARGIN), *parts, "</svg>", ""])


def _opening(title: str, heading: Heading, height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'font-family="{FONT}" font-size="17" fill="{TEXT}">'
    )
    yield f"<title>{escape(title)}, measured {heading.date}</title>"
    yield _text(MARGIN, 36, title, size=23, bold=True)
    yield _text(MARGIN, 62, f"{heading.date}, {heading.machine}", size=14)
    yield _text(MARGIN, 82, heading.server, size=14)


def _group(title: str, line: Line, contenders: Sequence[Contender], top: float) -> Iterator[str]:
    unit = line.unit if line.more_is_better else f"{line.unit}, less is better"
    yield _text(MARGIN, top + 22, title, bold=True, after=unit)
    widest = max(summary.high for summary in line.found.values()) or 1.0
    best = line.best_other(contenders)
    names = {contender.name: contender.title for contender in contenders}
    middle = top + 34
    for contender in contenders:
        if summary := line.found.get(contender.name):
            ratio = line.ratio(best) if contender.name == OURS else None
            note = f"{ratio:.2f} × {names[best]}" if ratio is not None and best is not None else ""
            yield from _bar(contender, middle, summary.median / widest, number(summary.median), note)
            yield _whisker(middle, summary.low / widest, summary.high / widest)
            middle += ROW


def _bar(contender: Contender, top: float, share: float, value: str, note: str) -> Iterator[str]:
    ours = contender.name == OURS
    length, baseline = max(1.0, LONGEST * share), top + BAR - 5
    look = f'fill="{OURS_COLOUR if ours else OTHER_COLOUR}"'
    if contender.limit:
        # What no queue can reach is drawn as an outline.
        look = f'fill="none" stroke="{FAINT}" stroke-dasharray="4 3"'
    yield _text(BARS - 10, baseline, contender.title, bold=ours, end=True)
    yield f'<rect x="{BARS}" y="{top:.0f}" width="{length:.1f}" height="{BAR}" rx="3" {look}/>'
    yield _text(BARS + LONGEST + 14, baseline, value, bold=ours, after=note)


def _whisker(top: float, low: float, high: float) -> str:
    middle = top + BAR / 2
    start, end = BARS + LONGEST * low, BARS + LONGEST * high
    return f'<path d="M{start:.1f} {middle}H{end:.1f}" stroke="{TEXT}" stroke-width="2" opacity="0.8"/>'


def _text(
    x: float, y: float, text: str, *, size: int = 0, bold: bool = False, end: bool = False, after: str = ""
) -> str:
    look = (f' font-size="{size}"' if size else "") + (' font-weight="600"' if bold else "")
    look += ' text-anchor="end"' if end else ""
    more = f'<tspan font-weight="400" dx="10" fill="{FAINT}">{escape(after)}</tspan>' if after else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{look}>{escape(text)}{more}</text>'
