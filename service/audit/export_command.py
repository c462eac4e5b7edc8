"""The command `annals audit export`."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from service.audit.export import choose, events_of
from service.audit.lines import Header
from service.audit.moments import Moment
from service.audit.parquet import ParquetSink
from service.audit.running import INTERRUPTED, progress_bar, with_audit
from service.audit.sinks import LineSink, Sink, packed
from service.audit.whole_file import placed
from service.cli import Context, emit_json_lines, json_option
from service.store.pool import Database


class Stopped(Exception):
    """The export was interrupted; its file must not come to stand under its name."""


@click.command()
@click.option("--from", "since", type=Moment(), help="From this position on, or after this time.")
@click.option(
    "--to", "until", type=Moment(), help="Up to this position or time; by default all that is settled."
)
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task; may be repeated.")
@click.option("--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True)
@click.option(
    "--output", required=True, metavar="FILE|-", help="The file; .gz packs it; - is standard output."
)
@json_option
@click.pass_obj
def export(
    context: Context,
    since: int | datetime | None,
    until: int | datetime | None,
    tasks: tuple[str, ...],
    form: str,
    output: str,
) -> None:
    """Write settled events in order, with their canonical bytes and a digest, for `annals audit import`.

    Runs on a live system. The file appears under its name when it is whole; exit code 130 when interrupted.

    \b
    Example: annals audit export --output log.jsonl.gz
             annals audit export --from 2026-01-01 --to 2026-02-01 --format parquet --output january.parquet
             annals audit export --task task-100000001 --output - | jq .type
    """
    if form == "parquet" and (output == "-" or output.endswith(".gz")):
        raise click.UsageError("Parquet goes to a file of its own: --output log.parquet")

    async def work(db: Database, stop: asyncio.Event) -> int:
        header = await choose(db, since, until, tasks)
        try:
            with _opened(output) as file, _sink(form, file, output, header) as sink:
                await _fill(context, db, header, sink, stop)
        except Stopped:
            click.echo("Interrupted: nothing was written." if output != "-" else "Interrupted.", err=True)
            return INTERRUPTED
        _say(context, header, sink, output)
        return 0

    with_audit(context, work)


async def _fill(context: Context, db: Database, header: Header, sink: Sink, stop: asyncio.Event) -> None:
    # The number of positions: an estimate from above, because some were rolled back.
    total = None if header.selected.tasks else header.last_position - header.first_position + 1
    with progress_bar(context, "exporting", total) as tell:
        async with aclosing(events_of(db, header)) as chunks:
            async for events in chunks:
                await asyncio.to_thread(sink.write, events)
                tell(sink.digest.events, "exporting")
                if stop.is_set():
                    raise Stopped
        await asyncio.to_thread(sink.finish)


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output == "-":
        yield sys.stdout.buffer
    else:
        with placed(Path(output)) as file:
            yield file


@contextmanager
def _sink(form: str, file: BinaryIO, output: str, header: Header) -> Iterator[Sink]:
    if form == "parquet":
        yield ParquetSink(file, header)
    else:
        with packed(file, output) as pack:
            yield LineSink(pack, header)


def _say(context: Context, header: Header, sink: Sink, output: str) -> None:
    digest = sink.digest.hexdigest()
    if context.as_json and output != "-":
        record = {"events": sink.digest.events, "digest": digest, "output": output}
        emit_json_lines(
            [record | {"first_position": header.first_position, "last_position": header.last_position}]
        )
    else:
        part = f"positions {header.first_position:,} to {header.last_position:,}"
        click.echo(f"{sink.digest.events:,} events ({part}) exported, digest {digest}", err=True)
