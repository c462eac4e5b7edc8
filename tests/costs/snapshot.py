"""The figures as a text that a review reads, and back."""

import re
from pathlib import Path

from tests.costs.figures import Figures, rounded

PATH = Path(__file__).resolve().parents[1] / "snapshots" / "costs.txt"
WRITE = "ANNALS_SNAPSHOTS=write ./config/test tests/sql/test_cost_guard.py"
HEAD = "What PostgreSQL does for one task, step by step, in the batches of a worker; bytes within 3 %.\n"
LINE = re.compile(r"  (?P<name>\S.*?) +(?P<value>[\d.,]+)$")
FIRST = ("statements", "round trips", "transactions that write")
WIDTH = 58


def render(figures: dict[str, Figures]) -> str:
    """One block for each step."""
    blocks = [HEAD]
    for step, costs in figures.items():
        names = sorted(costs, key=lambda name: (_rank(name), name))
        told = [f"  {name:{WIDTH}}{rounded(name, costs[name]):>8}" for name in names]
        blocks.append("\n".join([step, *told]) + "\n")
    return "\n".join(blocks)


def parse(text: str) -> dict[str, Figures]:
    """What `render` made the text of; {} of an empty one."""
    figures: dict[str, Figures] = {}
    costs: Figures = {}
    for line in text.removeprefix(HEAD).splitlines():
        if found := LINE.match(line):
            costs[found["name"]] = float(found["value"].replace(",", ""))
        elif line:
            costs = figures[line] = {}
    return figures


def committed() -> dict[str, Figures]:
    """The figures of the last review."""
    return parse(PATH.read_text()) if PATH.exists() else {}


def _rank(name: str) -> int:
    if name in FIRST:
        return FIRST.index(name)
    return len(FIRST) + name.startswith("WAL")
