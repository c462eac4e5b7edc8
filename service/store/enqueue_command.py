"""The command `annals tasks enqueue`: tasks in bulk, from a file of JSON lines of any length.

Each batch is one transaction, so nothing big is held open and memory stays bounded. With --key each batch
is a request that is done once: run again after an interruption, the file goes on where it ended.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import AnnalsError, Invalid
from service.model.task import RequestKey
from service.store.console import actor, with_database
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.urls import check_webhook_urls

ROUTE = "annals tasks enqueue"
Batch = tuple[int, list[dict[str, Any]], str]


@click.command("enqueue")
@click.argument("source", metavar="FILE", type=click.File("rb"))
@click.option(
    "--batch", type=click.IntRange(1, 5000), default=1000, show_default=True, help="Tasks a transaction."
)
@click.option("--key", help="Enqueue this file once under this name: a second run goes on where it ended.")
@json_option
@click.pass_obj
def enqueue_file(context: Context, source: IO[bytes], batch: int, key: str | None) -> None:
    """Enqueue the tasks of a file, one JSON object a line; `-` reads standard input.

    \b
    Example: echo '{"task_type": "resize_image", "params": {"widths": [320]}}' | annals tasks enqueue -
             annals tasks enqueue tasks.jsonl --key import-2026-01
    """
    counts = with_database(context, lambda db: _enqueue(context, db, source, batch, key))
    if context.as_json:
        emit_json_lines([counts])
    else:
        duplicates = f", {counts['duplicate']:,} there already" if counts["duplicate"] else ""
        context.say(f"{counts['enqueued']:,} tasks enqueued{duplicates}.")


async def _enqueue(
    context: Context, db: Database, source: IO[bytes], size: int, key: str | None
) -> dict[str, int]:
    store, who = TaskStore(db), await actor(db)
    allow = context.settings.webhooks.allow_http_localhost
    counts = {"enqueued": 0, "duplicate": 0}
    with click.progressbar(length=_length(source), label="Enqueueing", file=sys.stderr) as bar:
        for first, tasks, digest in _batches(source, size):
            request = RequestKey(who, ROUTE, f"{key}:{first}", digest) if key else None
            try:
                await check_webhook_urls(tasks, allow_localhost=allow)
                outcomes = await store.enqueue(tasks, actor=who, request=request, ring=True)
            except AnnalsError as error:
                done = sum(counts.values())
                raise type(error)(
                    f"In the batch from line {first}: {error.message}",
                    hint=f"{error.hint} The {done:,} tasks before it are enqueued.".strip(),
                ) from error
            for outcome in outcomes:
                counts[outcome.outcome] += 1
            bar.update(source.tell() - bar.pos if source.seekable() else 0)
    return counts


def _batches(source: IO[bytes], size: int) -> Iterator[Batch]:
    """Number of the first line, its tasks, and the digest of their text. Empty lines are left out."""
    numbered = ((number, line) for number, line in enumerate(source, start=1) if line.strip())
    while lines := list(islice(numbered, size)):
        digest = hashlib.sha256(b"".join(line for _, line in lines)).hexdigest()
        yield lines[0][0], [_parsed(number, line) for number, line in lines], digest


def _parsed(number: int, line: bytes) -> dict[str, Any]:
    try:
        task = json.loads(line)
    except ValueError as error:
        raise Invalid(f"Line {number} is no JSON: {error}.", hint="One JSON object a line.") from error
    if not isinstance(task, dict):
        raise Invalid(f"Line {number} is no JSON object.", hint='{"task_type": ..., "params": {...}}')
    return task


def _length(source: IO[bytes]) -> int:
    return os.fstat(source.fileno()).st_size if source.seekable() else 0
