"""How the demo looks: colours and live bars on a terminal, plain lines everywhere else.

Everything here takes plain values and prints; what they mean is decided in run.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from service.demo.watch import Run

ACCENT = "cyan"
STATUS_STYLES = {"completed": "green", "running": ACCENT, "pending": "dim"}
MARKS = {"completed": "✓", "pending": "·"}
BAR_WIDTH = 32
# Wide enough for a biography when nobody says how wide a line may be.
PLAIN_WIDTH = 130


def make_console(*, record: bool = False) -> Console:
    """The console of the demo on standard output; `record` keeps what is printed for an image."""
    console = Console(record=record, highlight=False)
    return console if console.is_terminal else Console(record=record, highlight=False, width=PLAIN_WIDTH)


class Screen:
    """Prints the demo's parts in order, each taking the room it needs."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def heading(self, text: str) -> None:
        """A title with air above."""
        self.console.print()
        self.console.print(Text(f"  {text}", style="bold"))

    @contextmanager
    def step(self, doing: str) -> Iterator[list[str]]:
        """Show that something is being done, then the time it took and the words put into the list.

        A second word is a mark other than that of success.
        """
        said: list[str] = []
        began = time.perf_counter()
        with self.console.status(Text(f"{doing} …", style="dim"), spinner="dots", spinner_style=ACCENT):
            yield said
        line = Table.grid(padding=(0, 1))
        line.add_column(width=3, justify="right")
        line.add_column(width=12)
        line.add_column(width=76, overflow="fold")
        line.add_column(justify="right", width=8)
        took = f"{time.perf_counter() - began:.2f} s"
        mark = Text(said[1], style="red") if any(said[1:]) else Text("✓", style="green")
        line.add_row(mark, Text(doing, style="bold"), said[0], Text(took, style="dim"))
        self.console.print(line)

    @contextmanager
    def bars(self, runs: Sequence[Run]) -> Iterator["Bars"]:
        """A bar for each run, redrawn as it goes; call the value's `changed` with a run that moved."""
        bars = Bars(self.console, runs)
        self.console.print()
        if not self.console.is_terminal:
            yield bars
            return
        with Live(get_renderable=bars.render, console=self.console, refresh_per_second=20):
            yield bars

    def table(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[RenderableType]]) -> None:
        """Rows under columns of (title, "left" or "right")."""
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", show_edge=False, border_style="dim")
        for title, justify in columns:
            table.add_column(title, justify="right" if justify == "right" else "left", no_wrap=False)
        for row in rows:
            table.add_row(*row)
        self.console.print(Padding(table, (1, 0, 0, 1), expand=False))

    def commands(self, lines: Sequence[tuple[str, str]]) -> None:
        """Command lines to copy, each under what it does; never folded or cut."""
        for what, command in lines:
            self.console.print()
            self.console.print(Text(f"  {what}", style="dim"))
            self.console.print(Text(f"  {command}", style=ACCENT), soft_wrap=True)


class Bars:
    """The live part: one line for each run."""

    def __init__(self, console: Console, runs: Sequence[Run]) -> None:
        self.console, self.runs = console, runs
        self._spinner = Spinner("dots", style=ACCENT)
        self._shown = {run.task_id: run.status for run in runs}

    def changed(self, run: Run) -> None:
        """A terminal is redrawn by itself; elsewhere a line tells of each new status."""
        if not self.console.is_terminal and self._shown.get(run.task_id) != run.status:
            self._shown[run.task_id] = run.status
            self.console.print(f"  {run.name}: {_outcome(run)}")

    def render(self) -> RenderableType:
        """All bars as they are now."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=3, justify="right")
        grid.add_column(width=12)
        grid.add_column(width=BAR_WIDTH)
        grid.add_column(justify="right", width=6)
        grid.add_column()
        for run in self.runs:
            style = STATUS_STYLES.get(run.status, "red")
            mark = self._spinner if run.status == "running" else Text(MARKS.get(run.status, "✗"), style=style)
            grid.add_row(
                mark,
                Text(run.name, style="bold"),
                ProgressBar(100, run.percentage, width=BAR_WIDTH, complete_style=style, finished_style=style),
                Text(f"{run.percentage:.0f} %"),
                Text(_outcome(run), style=style),
            )
        return Group(grid)


def meter(percent: float, width: int = 20) -> Text:
    """A percentage as a bar, coloured by how much there is."""
    full = round(percent / 100 * width)
    style = "green" if percent >= 50 else "yellow" if percent >= 10 else "red"
    return Text.assemble(("━" * full, style), ("─" * (width - full), "grey23"), f" {percent:6.2f} %")


def _outcome(run: Run) -> str:
    took = f" in {run.duration_ms:.0f} ms" if run.duration_ms is not None else ""
    why = f": {run.error}" if run.error else ""
    step = f"  {run.step}" if run.status == "running" and run.step else ""
    return f"{run.status}{took}{why}{step}"
