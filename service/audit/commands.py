"""The commands `annals audit verify|rebuild|replay`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from service.audit import timeline
from service.audit.findings import Finding
from service.audit.rebuild import rebuild as rebuild_read_models
from service.audit.replay import Step
from service.audit.replay import replay as replay_task
from service.audit.verify import Verification
from service.audit.verify import start as start_verification
from service.audit.verify import verify as verify_read_models
from service.cli import Context, emit_json_lines, json_option
from service.lifecycle import run
from service.store.pool import Database

# More would only push the first ones off the screen; with --json every finding is a line.
SHOWN_ROWS = 200
FINDING_COLUMNS = ["found", "read_model", "stream", "row", "explanation"]


@click.group()
def audit() -> None:
    """Prove the read models against the log, mend them from it, replay a task's life.

    \b
    Example: annals audit verify
             annals audit replay task-100000001
    """


@audit.command()
@click.option("--read-model", "names", multiple=True, metavar="TABLE", help="Only this one; may be repeated.")
@json_option
@click.pass_obj
def verify(context: Context, names: tuple[str, ...]) -> None:
    """Fold the log again beside the real rows and name every row that differs. Changes nothing.

    Runs on a live system. Ends with exit code 1 when there are findings, 130 when interrupted.

    \b
    Example: annals audit verify
             annals audit verify --read-model background_tasks --json
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        verification = await start_verification(db, names)
        verification.stop = stop
        shown: list[Finding] = []
        with _progress(context, verification) as tell:
            async for finding in verify_read_models(db, verification, tell):
                if context.as_json:
                    emit_json_lines([asdict(finding) | {"explanation": finding.explanation}])
                elif len(shown) < SHOWN_ROWS:
                    shown.append(finding)
        _show_outcome(context, verification, shown)
        return _exit_code(verification)

    _run(context, work)


@audit.command()
@click.argument("read_model")
@json_option
@click.pass_obj
def rebuild(context: Context, read_model: str) -> None:
    """Replace the rows of READ_MODEL that differ from the log by what the log says.

    Runs on a live system: it holds the streams of one chunk at a time. Each chunk that changed something
    appends projection.repaired to the log. Rows that are right are not written.

    \b
    Example: annals audit rebuild background_tasks
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        verification = await start_verification(db, [read_model])
        verification.stop = stop
        rows = 0
        with _progress(context, verification) as tell:
            async for repaired in rebuild_read_models(db, verification):
                rows += repaired
                tell()
        record = {
            "read_model": read_model,
            "streams": verification.streams,
            "events": verification.events,
            "rows": rows,
        }
        if context.as_json:
            emit_json_lines([record])
        else:
            what = f"{rows:,} {'row' if rows == 1 else 'rows'} replaced" if rows else "every row was right"
            context.say(f"{read_model}: {what} ({_folded(verification)})")
        return _exit_code(verification)

    _run(context, work)


@audit.command()
@click.argument("task_id", metavar="TASK")
@click.option("--until", type=int, metavar="POSITION", help="Stop at this position of the log.")
@json_option
@click.pass_obj
def replay(context: Context, task_id: str, until: int | None) -> None:
    """Tell a task's life: each event, who caused it, how long after the one before, and the state after it.

    \b
    Example: annals audit replay task-100000001
             annals audit replay task-100000001 --until 4711 --json
    """

    async def work(db: Database, _: asyncio.Event) -> int:
        steps = await replay_task(db, task_id, until)
        if context.as_json:
            emit_json_lines(step.as_record() for step in steps)
        elif sys.stdout.isatty():
            timeline.show(Console(), task_id, steps)
        else:
            context.table(
                task_id,
                ["version", "recorded_at", "gap", "type", "status", "actor", "changes"],
                map(_row, steps),
            )
        return 0

    _run(context, work)


def _run(context: Context, work: Callable[[Database, asyncio.Event], Awaitable[int]]) -> None:
    """Open the database, do the work until it ends or a signal comes, and end with its exit code."""

    async def main(stop: asyncio.Event, dsn: str) -> int:
        async with await Database.open(context.settings.database, dsn) as db:
            return await work(db, stop)

    with context.database() as dsn:
        code = run(lambda stop: main(stop, dsn))
    click.get_current_context().exit(code)


@contextmanager
def _progress(context: Context, verification: Verification) -> Iterator[Callable[[], None]]:
    """A bar on stderr with rate and time left, where a person sees it; gives the function that moves it."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=context.as_json or not console.is_terminal
    ) as bar:
        task = bar.add_task("folding the log", total=verification.head or None, rate="")

        def tell() -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} events/s" if speed else ""
            bar.update(
                task,
                completed=verification.events,
                rate=rate,
                description=f"{verification.streams:,} streams",
            )

        yield tell


def _show_outcome(context: Context, verification: Verification, shown: list[Finding]) -> None:
    findings = sum(verification.found.values())
    names = [model.name for model in verification.read_models]
    if context.as_json:
        counts = {"streams": verification.streams, "events": verification.events, "findings": findings}
        emit_json_lines([{"verified": names, **counts, "interrupted": verification.stop.is_set()}])
        return
    if shown:
        context.table("Findings", FINDING_COLUMNS, map(_finding_row, shown))
    if findings > len(shown):
        context.say(f"... and {findings - len(shown):,} more; --json prints all of them.")
    outcome = f"{findings:,} findings" if findings else "every row is what the log says"
    context.say(f"{_folded(verification)}: {outcome} ({', '.join(names)})")
    if verification.stop.is_set():
        context.say("Interrupted: the rest was not looked at.")


def _folded(verification: Verification) -> str:
    return f"{verification.events:,} events of {verification.streams:,} streams folded"


def _finding_row(finding: Finding) -> list[object]:
    return [finding.kind, finding.read_model, finding.stream, _key(finding.row_key), finding.explanation]


def _key(row_key: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row_key.items())


def _row(step: Step) -> list[object]:
    gap = "" if step.gap is None else timeline.duration(step.gap)
    return [step.version, step.recorded_at, gap, step.type, step.status, step.actor, timeline.described(step)]


def _exit_code(verification: Verification) -> int:
    return 130 if verification.stop.is_set() else int(bool(verification.found))
