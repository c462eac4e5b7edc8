"""Errors as a person at a terminal reads them: two lines for each group, with a picture of its trend."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from service.model.error_group import ErrorGroup
from service.store.console import short

COLOURS = {"new": "bold red", "ongoing": "yellow", "quiet": "dim"}
LEVELS = "▁▂▃▄▅▆▇█"
LONGEST_MESSAGE = 100


def show(console: Console, groups: Sequence[ErrorGroup]) -> None:
    """Print the groups."""
    for text in lines(groups):
        console.print(text, soft_wrap=True)


def lines(groups: Sequence[ErrorGroup]) -> Iterator[Text]:
    """What fails, how often and when; then the message and the place."""
    names = [f"{group.task_type} {group.error_type or ''}" for group in groups]
    width = max(map(len, names))
    for group, name in zip(groups, names, strict=True):
        counts = f"{group.occurrences:,} in {group.tasks:,} {'task' if group.tasks == 1 else 'tasks'}"
        yield Text.assemble(
            ("● ", COLOURS[group.state]),
            (group.fingerprint, "cyan"),
            (f"  {group.state:<7}  ", COLOURS[group.state]),
            (f"{name:<{width}}  ", "bold"),
            f"{counts:>18}  {sparkline(group.trend)}",
            (f"  {short(group.first_seen_at)} … {short(group.last_seen_at)}Z", "dim"),
        )
        yield Text.assemble(("│ ", "dim"), group.pattern, *_details(group))


def sparkline(trend: Sequence[int]) -> str:
    """One character for each count, its height relative to the highest; a dot for none."""
    most = max(trend, default=0)
    return "".join(LEVELS[(count * len(LEVELS) - 1) // most] if count else "·" for count in trend)


def _details(group: ErrorGroup) -> Iterator[tuple[str, str]]:
    """Where it was raised; and the last message, where the pattern left something out."""
    if group.frame:
        yield f"  {group.frame}", "magenta"
    message = (group.last_message or "").partition("\n")[0]
    if message != group.pattern:
        cut = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
        yield f"  e.g. {cut}", "dim"
