"""The command `annals audit import`."""

import asyncio
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from service.audit.importing import Interrupted, import_log
from service.audit.parquet import MAGIC, ParquetSource
from service.audit.running import INTERRUPTED, progress_bar, with_audit
from service.audit.sources import GZIP, LineSource, Source
from service.cli import Context, emit_json_lines, json_option
from service.errors import NotFound
from service.store.pool import Database

LEFT_OUT = (
    "Not in an export: documents and taxonomies, the hashes of API keys (create the keys anew), the catalogue"
    " of task types (a worker that starts publishes it).\n"
    "The log keeps its own epoch: from here on it goes another way than the one it came from, and cursors of"
    " one must not be taken for those of the other."
)
SWITCH_SECONDS = 0.0002


@click.command("import")
@click.argument("file")
@json_option
@click.pass_obj
def import_(context: Context, file: str) -> None:
    """Fill an empty log with the events of FILE (an export; - is standard input), all of it or nothing.

    Positions, times, versions: everything is as it was, and the read models are folded from it. The log must
    be empty: use a database of its own, just migrated. Workers started there will run the tasks that were
    pending in the log.

    \b
    Example: annals --home ./copy migrate
             annals --home ./copy audit import log.jsonl.gz
             annals --home ./copy audit verify
    """

    async def work(db: Database, stop: asyncio.Event) -> int:
        # The thread that reads the file would keep the one that feeds the database waiting, 5 ms each time.
        sys.setswitchinterval(SWITCH_SECONDS)
        with opened_source(file) as source:
            header = source.header
            total = None if header.selected.tasks else header.last_position - header.first_position + 1
            try:
                with progress_bar(context, "importing", total) as tell:
                    events = await import_log(db, source, stop, lambda done: tell(done, "importing"))
            except Interrupted as error:
                click.echo(error.message, err=True)
                return INTERRUPTED
        record = {
            "events": events,
            "last_position": header.last_position,
            "digest": source.digest.hexdigest(),
        }
        if context.as_json:
            emit_json_lines([record | {"from_epoch": header.epoch}])
        else:
            context.say(
                f"{events:,} events imported, up to position {header.last_position:,}; the digest agrees."
            )
            context.say(LEFT_OUT)
        return 0

    with_audit(context, work)


@contextmanager
def opened_source(name: str) -> Iterator[Source]:
    """The export in a file, by what it begins with. Raises NotFound, and Invalid when it is none."""
    if name == "-":
        yield LineSource(sys.stdin.buffer)
        return
    try:
        with Path(name).open("rb") as file:
            start = file.peek(len(MAGIC))
            if start.startswith(MAGIC):
                yield ParquetSource(file)
            elif start.startswith(GZIP):
                with gzip.open(file) as lines:
                    yield LineSource(lines)  # type: ignore[arg-type]
            else:
                yield LineSource(file)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise NotFound(f"{name} cannot be read: {error.strerror}.") from error
