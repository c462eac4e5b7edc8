"""Figures of what a step cost: counted, told a task, and compared with those of another time."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.costs.wal import Record

Figures = dict[str, float]

# Bytes move a little with where pages fill up, and so does what fits on the page where it was. Those of one
# kind move more: pages that get random keys are split a few times more, or less.
TOLERANCE, KIND_TOLERANCE = 0.03, 0.2
BY_PAGE = ("rows locked", "of these in place (HOT)", "entries")
KIND = "WAL bytes of "
# A kind of record that costs a task less than this has no line of its own; of no kind does so little matter.
SMALL_BYTES = 5.0
VERBS = {
    "INSERT": ("rows inserted",),
    "MULTI_INSERT": ("rows inserted",),
    "UPDATE": ("rows updated",),
    "HOT_UPDATE": ("rows updated", "of these in place (HOT)"),
    "DELETE": ("rows deleted",),
    "LOCK": ("rows locked",),
}


def count(found: Iterable[Record], names: dict[str, str]) -> Counter[str]:
    """Rows by table, entries by index, transactions, and bytes by kind of record."""
    counts: Counter[str] = Counter()
    for record in found:
        counts["WAL bytes"] += record.bytes
        counts[f"{KIND}{record.manager} {record.kind}"] += record.bytes
        for line in _lines(record, names.get(record.relation or "", "a catalog")):
            counts[line] += record.rows
    return counts


def _lines(record: Record, name: str) -> Iterator[str]:
    if record.manager == "Heap" or record.kind == "MULTI_INSERT":
        yield from (f"{name}: {verb}" for verb in VERBS.get(record.kind, ()))
    if record.is_entry:
        yield f"{name}: entries"
    if (record.manager, record.kind) == ("Transaction", "COMMIT"):
        yield "transactions that write"


def a_task(counts: Counter[str], number: int) -> Figures:
    """The same for one task; bytes of small kinds are told together."""
    figures = {name: total / number for name, total in counts.items()}
    rest = 0.0
    for name in [name for name in figures if name.startswith(KIND)]:
        if figures[name] < SMALL_BYTES:
            rest += figures.pop(name)
    return figures | ({f"{KIND}other kinds": rest} if rest else {})


def sum_of(parts: Iterable[Figures]) -> Figures:
    """What several steps cost together."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)  # type: ignore[arg-type]
    return dict(total)


def rounded(name: str, value: float) -> str:
    """As it is written down, and compared."""
    return f"{value:,.0f}" if name.startswith("WAL") else f"{value:.3f}".rstrip("0").rstrip(".")


def moved(before: dict[str, Figures], after: dict[str, Figures]) -> list[str]:
    """A line for each figure that is not what it was: which, from what, to what."""
    lines = []
    for step in before | after:
        was, is_ = before.get(step, {}), after.get(step, {})
        for name in was | is_:
            old, new = was.get(name, 0.0), is_.get(name, 0.0)
            if _differ(name, old, new):
                lines.append(f"{step}: {name} from {rounded(name, old)} to {rounded(name, new)}")
    return lines


def _differ(name: str, old: float, new: float) -> bool:
    if name.startswith(KIND):
        return abs(new - old) > max(KIND_TOLERANCE * old, 2 * SMALL_BYTES)
    if name.endswith(BY_PAGE):
        return abs(new - old) > max(TOLERANCE * old, TOLERANCE)
    if name.startswith("WAL"):
        return abs(new - old) > max(TOLERANCE * old, 1)
    return rounded(name, old) != rounded(name, new)
