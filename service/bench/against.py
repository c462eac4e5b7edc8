"""`annals bench --against`: which queues were asked for, the contest, and what it shows in the end."""

import asyncio
import difflib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from service import lifecycle
from service.bench import machine
from service.bench.chart import Heading, draw
from service.bench.comparison import Line, columns, compare, row
from service.bench.contest import Contest
from service.bench.peers.catalogue import ANNALS, OTHERS, Contender
from service.bench.races import RACES
from service.bench.records import read
from service.bench.scratch import QUERIES, connect
from service.bench.workloads import Size
from service.cli import Context
from service.lifecycle import before

# The exit code of what Ctrl-C ended.
INTERRUPTED = 130


def contenders(_: click.Context, __: click.Parameter, names: str | None) -> list[Contender]:
    """The value of --against as queues, ours first; [] without it."""
    if names is None:
        return []
    wanted = dict.fromkeys(name.strip().lower() for name in names.split(","))
    for name in wanted:
        if name not in OTHERS:
            near = difflib.get_close_matches(name, OTHERS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.BadParameter(f"{name!r} is not known.{hint} Known are {', '.join(OTHERS)}.")
    return [ANNALS, *(OTHERS[name] for name in wanted)]


def chart_file(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """The value of --chart; refused before anything is measured when it cannot be written."""
    if path is not None and (path.suffix.lower() != ".svg" or not path.absolute().parent.is_dir()):
        raise click.BadParameter(f"{path}: give a file .svg in a directory that exists.")
    return path


def races(names: Sequence[str]) -> list[str]:
    """The workloads to run; without names all, each once. Raises UsageError for what only ours has."""
    # A life begins with what bulk measures.
    wanted = list(dict.fromkeys(names)) or [name for name in RACES if name != "bulk"]
    for name in wanted:
        if name not in RACES:
            raise click.UsageError(f"{name} is measured without --against. Known are {', '.join(RACES)}.")
    return wanted


def contend(
    context: Context,
    queues: Sequence[Contender],
    names: Sequence[str],
    size: Size,
    rounds: int,
    chart: Path | None,
) -> int:
    """Measure, and show what was measured; gives the exit code."""
    chosen = {name: RACES[name] for name in races(names)}
    with context.database() as dsn:
        heading = Heading(machine.machine(), _server(dsn), datetime.now(UTC).date().isoformat())
        context.say(f"{heading.machine}\n{heading.server}")
        contest = Contest(context, queues, chosen, heading, size, rounds)

        async def main(shutdown: asyncio.Event) -> int | None:
            return None if await before(shutdown, contest.run(dsn)) else INTERRUPTED

        # In order also when interrupted: processes are ended and databases dropped.
        code = lifecycle.run(main)
    lines = compare(contest.measured)
    if not context.as_json:
        _table(context, queues, lines)
        context.say("\n".join(contest.remains()))
    for failure in contest.failures:
        click.echo(f"Failed: {failure}", err=True)
    _picture(context, queues, lines, heading, chart)
    return code or int(bool(contest.failures))


def show(context: Context, files: Sequence[Path], chart: Path | None) -> None:
    """Show what was measured before, from its JSON lines. Raises Invalid."""
    measured, queues, heading = read(files)
    lines = compare(measured)
    context.say(f"{heading.date}, {heading.machine}\n{heading.server}")
    _table(context, queues, lines)
    _picture(context, queues, lines, heading, chart)


def _table(context: Context, queues: Sequence[Contender], lines: Sequence[Line]) -> None:
    context.table("Benchmark", columns(queues), [row(line, queues) for line in lines])


def _picture(
    context: Context, queues: Sequence[Contender], lines: Sequence[Line], heading: Heading, chart: Path | None
) -> None:
    # Nothing is drawn over an older picture when nothing was measured.
    if chart is not None and lines:
        chart.write_text(draw(lines, queues, heading), encoding="utf-8")
        context.say(f"Wrote {chart}")


def _server(dsn: str) -> str:
    with connect(dsn) as connection:
        return machine.server((str(name), str(value)) for name, value in connection.execute(QUERIES.server))
