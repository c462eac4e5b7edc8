"""The command `annals bench`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from service import lifecycle
from service.bench import machine
from service.bench.against import INTERRUPTED, chart_file, contend, contenders, show
from service.bench.figures import Figure, Summary, summarize
from service.bench.ground import ground
from service.bench.peers.catalogue import OTHERS, Contender
from service.bench.scratch import QUERIES, Scratch, scratch
from service.bench.workloads import WORKLOADS, Size, Workload
from service.cli import Context, json_option
from service.lifecycle import before
from service.store.pool import Database

COLUMNS = ("workload", "metric", "median", "low", "high", "unit", "rounds")


@click.command()
@click.argument("workloads", nargs=-1, type=click.Choice(list(WORKLOADS)))
@click.option("--tasks", default=20_000, show_default=True, type=click.IntRange(100), help="Tasks to drain.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How often to measure.")
@click.option(
    "--seconds", default=10.0, show_default=True, type=click.FloatRange(1), help="For steady and churn."
)
@click.option(
    "--wakeups", default=200, show_default=True, type=click.IntRange(1), help="Latencies to measure."
)
@click.option(
    "--against",
    "queues",
    callback=contenders,
    metavar="QUEUE,...",
    help=f"Other queues: {', '.join(OTHERS)}.",
)
@click.option(
    "--chart",
    callback=chart_file,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw the comparison: FILE.svg.",
)
@click.option(
    "--from",
    "results",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Show comparisons made before with --json, instead of measuring.",
)
@json_option
@click.pass_obj
def bench(
    context: Context,
    workloads: Sequence[str],
    tasks: int,
    rounds: int,
    seconds: float,
    wakeups: int,
    queues: Sequence[Contender],
    chart: Path | None,
    results: Sequence[Path],
) -> None:
    """Measure this machine and this server with the product's own workloads.

    \b
    enqueue-1   single tasks through the client of Python programs, one caller
    enqueue-20  the same, 20 callers at once; and with a connection and a transaction each
    bulk        enqueue in bulk; a part of life
    life        enqueue in bulk, then drain with one worker process; WAL, rows and transactions per task
    steady      a producer and a worker process at the same time
    wakeup      from the enqueue to the handler's first line in an idle worker
    half-load   the same in a worker that is given half of what it can do
    pinned      steady, while a forgotten transaction keeps every dead row version
    churn       enqueue 100, wait until they are done, again and again; the last tenth against the first
    churn-pinned  the same, while a forgotten transaction keeps every dead row version

    Everything happens in databases of its own on the configured server, which are dropped at the end.

    With --against other queues do the same on the same server, in turns with ours, each in processes and
    databases of its own and with the fast settings that it recommends. They are installed once, below the
    home (`annals config` names it). JSON lines hold every single measurement then; --from reads them again.

    \b
    Example: annals bench
             annals bench life wakeup --tasks 50000 --rounds 5 --json
             annals bench --against pgqueuer,graphile,postgres --chart bench.svg
             annals bench churn --against pgqueuer --seconds 60 --json > churn.jsonl
             annals bench --from churn.jsonl --from others.jsonl --chart bench.svg
    """
    size = Size(tasks, seconds, wakeups)
    if chart is not None and not (queues or results):
        raise click.UsageError("--chart draws a comparison: name other queues with --against.")
    if results:
        if queues or workloads:
            raise click.UsageError(
                "--from shows what was measured before: it takes no workloads or --against."
            )
        return show(context, results, chart)
    if queues:
        click.get_current_context().exit(contend(context, queues, workloads, size, rounds, chart))
    click.get_current_context().exit(_own(context, workloads, size, rounds))


def _own(context: Context, names: Sequence[str], size: Size, rounds: int) -> int:
    """Our own workloads alone; gives the exit code."""
    # A life begins with what bulk measures.
    wanted = dict.fromkeys(names) or [name for name in WORKLOADS if name != "bulk"]
    chosen = {name: WORKLOADS[name] for name in wanted}
    with context.database() as dsn, scratch(dsn) as where:
        figures: list[Figure] = []

        async def main(shutdown: asyncio.Event) -> int | None:
            done = await before(shutdown, _measure(context, where, chosen, size, rounds, figures))
            return None if done else INTERRUPTED

        # In order also when interrupted: the databases are dropped.
        code = lifecycle.run(main)
    context.table("Benchmark", COLUMNS, map(_row, summarize(figures)))
    return code


async def _measure(
    context: Context,
    where: Scratch,
    chosen: dict[str, Workload],
    size: Size,
    rounds: int,
    figures: list[Figure],
) -> bool:
    """Round by round, so that what else the machine does hits all workloads alike."""
    context.say(machine.machine())
    context.say(await _server(context, where))
    for number in range(1, rounds + 1):
        for name, workload in chosen.items():
            async with ground(context, where) as here:
                found = await workload(here, size)
            figures += found
            told = ", ".join(f"{figure.metric} {figure.value:,.0f}" for figure in found[:1])
            context.say(f"  round {number} of {rounds}  {name:<12}{told} {found[0].unit}")
    return True


async def _server(context: Context, where: Scratch) -> str:
    with where.copy() as dsn:
        async with await Database.open(context.settings.database, dsn) as db:
            return machine.server([(row[0], row[1]) for row in await db.fetch(QUERIES.server)])


def _row(summary: Summary) -> tuple[object, ...]:
    values = (_readable(value) for value in (summary.median, summary.low, summary.high))
    return (summary.workload, summary.metric, *values, summary.unit, summary.rounds)


def _readable(value: float) -> float:
    """Three digits that mean something are enough."""
    return round(value, 2) if value < 100 else round(value)
