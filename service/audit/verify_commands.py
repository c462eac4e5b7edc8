"""The commands `annals audit verify|rebuild`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import click

from service.audit.findings import Finding
from service.audit.rebuild import REBUILT
from service.audit.rebuild import rebuild as rebuild_read_models
from service.audit.running import INTERRUPTED, progress_bar, with_audit
from service.audit.verify import Verification
from service.audit.verify import start as start_verification
from service.audit.verify import verify as verify_read_models
from service.cli import Context, emit_json_lines, json_option
from service.store.pool import Database

# More would only push the first ones off the screen; with --json every finding is a line.
SHOWN_ROWS = 200
FINDING_COLUMNS = ["found", "read_model", "stream", "row", "explanation"]


@click.command()
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
        with _bar(context, verification) as tell:
            shown = await _shown(context, verify_read_models(db, verification, tell))
        _show_outcome(context, verification, shown)
        return _exit_code(verification)

    with_audit(context, work)


@click.command()
@click.argument("read_model")
@json_option
@click.pass_obj
def rebuild(context: Context, read_model: str) -> None:
    """Replace the rows of READ_MODEL that differ from the log by what the log says.

    Runs on a live system: it holds the streams of one chunk at a time. Each chunk that changed something
    appends projection.repaired to the log. Rows that are right are not written. Shows what was wrong.
    Ends with exit code 1 when a stream cannot be folded: its rows are left as they are; with 130 when
    interrupted: the chunks until then are done, the rest is as it was.

    \b
    Example: annals audit rebuild background_tasks
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        verification = await start_verification(db, [read_model], REBUILT)
        verification.stop = stop
        with _bar(context, verification) as tell:
            shown = await _shown(context, rebuild_read_models(db, verification, tell))
        _show_repair(context, verification, shown)
        return INTERRUPTED if stop.is_set() else int("events" in verification.found)

    with_audit(context, work)


async def _shown(context: Context, findings: AsyncIterator[Finding]) -> list[Finding]:
    """Print findings as they come with --json; else the first of them, to be shown at the end."""
    shown: list[Finding] = []
    async for finding in findings:
        if context.as_json:
            emit_json_lines([asdict(finding)])
        elif len(shown) < SHOWN_ROWS:
            shown.append(finding)
    return shown


@contextmanager
def _bar(context: Context, verification: Verification) -> Iterator[Callable[[], None]]:
    """Gives the function that says how far the verification is."""
    with progress_bar(context, "folding the log", verification.head) as tell:
        yield lambda: tell(verification.events, f"{verification.streams:,} streams")


def _show_outcome(context: Context, verification: Verification, shown: list[Finding]) -> None:
    findings = sum(verification.found.values())
    names = [model.name for model in verification.read_models]
    if context.as_json:
        _emit_whole(verification, verified=names, findings=findings)
        return
    _show(context, "Findings", findings, shown)
    whole = "no finding until then" if verification.stop.is_set() else "every row is what the log says"
    outcome = f"{findings:,} findings" if findings else whole
    context.say(f"{_folded(verification)}: {outcome} ({', '.join(names)})")
    _show_interruption(context, verification, "not looked at")


def _show_repair(context: Context, verification: Verification, shown: list[Finding]) -> None:
    [read_model] = verification.read_models
    rows, left = (verification.found.get(name, 0) for name in (read_model.name, "events"))
    if context.as_json:
        _emit_whole(verification, read_model=read_model.name, rows=rows, unfoldable=left)
        return
    _show(context, "Replaced by what the log says", rows + left, shown)
    whole = "nothing to replace until then" if verification.stop.is_set() else "every row was right"
    what = f"{rows:,} {'row' if rows == 1 else 'rows'} replaced" if rows else whole
    context.say(f"{read_model.name}: {what} ({_folded(verification)})")
    if left:
        context.say(f"Streams that cannot be folded, their rows left as they are: {left:,}")
    _show_interruption(context, verification, "left as it was")


def _emit_whole(verification: Verification, **facts: object) -> None:
    """The last line of --json."""
    counts = {"streams": verification.streams, "events": verification.events}
    emit_json_lines([facts | counts | {"interrupted": verification.stop.is_set()}])


def _show(context: Context, title: str, findings: int, shown: list[Finding]) -> None:
    if shown:
        context.table(title, FINDING_COLUMNS, map(_finding_row, shown))
    if findings > len(shown):
        context.say(f"... and {findings - len(shown):,} more; --json prints all of them.")


def _show_interruption(context: Context, verification: Verification, rest: str) -> None:
    if verification.stop.is_set():
        left = max(verification.head - verification.events, 0)
        context.say(f"Interrupted: the rest, at most {left:,} events and rows without any, was {rest}.")


def _folded(verification: Verification) -> str:
    return f"{verification.events:,} events of {verification.streams:,} streams folded"


def _finding_row(finding: Finding) -> list[object]:
    return [finding.kind, finding.read_model, finding.stream, _key(finding.row_key), finding.explanation]


def _key(row_key: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row_key.items())


def _exit_code(verification: Verification) -> int:
    return INTERRUPTED if verification.stop.is_set() else int(bool(verification.found))
