"""The results as a picture: bars grouped by workload, each group on its own scale, ours highlighted.

Colours are those that can be read on white and on black; text is large enough for the width of a phone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from service.bench.comparison import Line, number
from service.bench.figures import Summary
from service.bench.peers.catalogue import OURS, Contender

WIDTH, MARGIN = 800, 20
# Where bars begin, and how long the longest may be: the rest is for the value at its end.
BARS, LONGEST = 192, 476
BAR, ROW, GROUP = 22, 30, 52
TITLE, SMALL, TITLE_CHARACTERS, LINE_CHARACTERS = 24, 15, 52, 96
TEXT, FAINT, OURS_COLOUR, OTHER_COLOUR = "#768390", "#868f99", "#2f81f7", "#9aa5b1"
FONT = "-apple-system, 'Segoe UI', Roboto, 'Noto Sans', Helvetica, Arial, sans-serif"

LEGEND = "Medians, lowest and highest; in blue ours, and its ratio to the best other queue."

# What is drawn of all that is measured, in this order, and what it is called.
GROUPS = {
    ("bulk", "rate"): "Enqueue in bulk",
    ("enqueue-1", "rate"): "Enqueue one by one, 1 client",
    ("enqueue-20", "rate"): "Enqueue one by one, 20 clients",
    ("drain", "rate"): "Drain, one worker process",
    ("steady", "rate"): "Producer and worker at the same time",
    ("churn", "rate at the end"): "Churn, at the end",
    ("churn-pinned", "rate at the end"): "Churn under a pinned horizon, at the end",
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
    opening, top = _opening(contenders, heading)
    parts: list[str] = []
    for name, title in GROUPS.items():
        if line := known.get(name):
            parts += _group(title, line, contenders, top)
            top += GROUP + ROW * len(line.found)
    size = f'viewBox="0 0 {WIDTH} {top:.0f}" role="img"'
    look = f'font-family="{FONT}" font-size="18" fill="{TEXT}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>', *opening, *parts, "</svg>", ""]
    )


def _opening(contenders: Sequence[Contender], heading: Heading) -> tuple[list[str], float]:
    """The title and what was measured on, and where the first group begins."""
    others = [contender for contender in contenders if contender.name != OURS]
    # A limit is named at its bars alone, unless it is all there is.
    named = [contender.title for contender in others if not contender.limit] or [others[0].title]
    title = f"Annals beside {' and '.join(named)}"
    if len(title) > TITLE_CHARACTERS:
        title = f"Annals beside {len(named)} other queues"
    facts = (f"{heading.date}, {heading.machine}", heading.server, LEGEND)
    told = [line for fact in facts for line in wrap(fact, LINE_CHARACTERS)]
    lines = [_text(MARGIN, 64 + 21 * index, line, size=SMALL) for index, line in enumerate(told)]
    head = [
        f"<title>{escape(title)}, {heading.date}</title>",
        _text(MARGIN, 36, title, size=TITLE, bold=True),
    ]
    return head + lines, 76.0 + 21 * len(told)


def _group(title: str, line: Line, contenders: Sequence[Contender], top: float) -> Iterator[str]:
    unit = line.unit if line.better != "less" else f"{line.unit}, less is better"
    yield _text(MARGIN, top + 22, title, bold=True, after=unit)
    best = line.best_other(contenders)
    if (ratio := line.ratio(best)) is not None:
        title = next(contender.title for contender in contenders if contender.name == best)
        yield _text(
            WIDTH - MARGIN, top + 22, f"{ratio:.2f} × {title}", bold=True, end=True, colour=OURS_COLOUR
        )
    widest = max(summary.high for summary in line.found.values()) or 1.0
    middle = top + 34
    for contender in contenders:
        if summary := line.found.get(contender.name):
            yield from _bar(contender, middle, summary, widest)
            middle += ROW


def _bar(contender: Contender, top: float, summary: Summary, widest: float) -> Iterator[str]:
    ours = contender.name == OURS
    length, baseline = max(1.0, LONGEST * summary.median / widest), top + BAR - 5
    look = f'fill="{OURS_COLOUR if ours else OTHER_COLOUR}"'
    if contender.limit:
        # What no queue can exceed is drawn as an outline.
        look = f'fill="none" stroke="{OTHER_COLOUR}" stroke-width="1.5" stroke-dasharray="5 3"'
    yield _text(BARS - 12, baseline, contender.title, bold=ours, end=True)
    yield f'<rect x="{BARS}" y="{top:.0f}" width="{length:.1f}" height="{BAR}" rx="3" {look}/>'
    if summary.low < summary.high:
        yield _whisker(top, LONGEST * summary.low / widest, LONGEST * summary.high / widest)
    end = BARS + LONGEST * max(summary.median, summary.high) / widest
    yield _text(end + 10, baseline, number(summary.median), bold=ours)


def _whisker(top: float, low: float, high: float) -> str:
    """From the lowest to the highest of all rounds."""
    middle = top + BAR / 2
    path = f"M{BARS + low:.1f} {middle - 5}v10m0-5H{BARS + high:.1f}m0-5v10"
    return f'<path d="{path}" fill="none" stroke="{TEXT}" stroke-width="1.5"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 0,
    bold: bool = False,
    end: bool = False,
    colour: str = "",
    after: str = "",
) -> str:
    look = (f' font-size="{size}"' if size else "") + (' font-weight="600"' if bold else "")
    look += (' text-anchor="end"' if end else "") + (f' fill="{colour}"' if colour else "")
    more = f'<tspan font-weight="400" dx="9" fill="{FAINT}">{escape(after)}</tspan>' if after else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{look}>{escape(text)}{more}</text>'
