"""What the tests of export and import share: export a database, import into another, compare the two."""

import asyncio
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from service.audit.export import choose, events_of
from service.audit.import_command import opened_source
from service.audit.importing import import_log
from service.audit.parquet import ParquetSink
from service.audit.sinks import LineSink, packed
from service.audit.sources import LineSource
from service.settings import load
from service.store.pool import Database
from tests.model.database import READ_MODELS, Session

if TYPE_CHECKING:
    from tests.conftest import Server

Clone = Callable[[], AbstractContextManager[str]]
NAMES = ("log.jsonl", "log.jsonl.gz", "log.parquet")


def cloning(server: "Server", template: str) -> Clone:
    """Makes the DSN of a fresh database, for as long as its block."""
    return partial(server.clone, template)


async def export_lines(dsn: str, tasks: Sequence[str] = (), **part: Any) -> list[bytes]:
    """An export as lines without their ends: header, events, footer."""
    file = io.BytesIO()
    async with await Database.open(load({}).database, dsn) as db:
        header = await choose(db, tasks=tasks, **part)
        sink = LineSink(file, header)
        async for events in events_of(db, header):
            sink.write(events)
        sink.finish()
    return file.getvalue().splitlines()


async def export_file(dsn: str, path: Path) -> None:
    """An export to a file, in the format of its suffix."""
    async with await Database.open(load({}).database, dsn) as db:
        header = await choose(db)
        with path.open("wb") as file, packed(file, path.name) as pack:
            sink = ParquetSink(file, header) if path.suffix == ".parquet" else LineSink(pack, header)
            async for events in events_of(db, header):
                sink.write(events)
            sink.finish()


async def import_file(dsn: str, path: Path) -> int:
    async with await Database.open(load({}).database, dsn) as db:
        with opened_source(str(path)) as source:
            return await import_log(db, source, asyncio.Event())


async def import_lines(dsn: str, lines: Sequence[bytes]) -> int:
    file: BinaryIO = io.BytesIO(b"".join(line + b"\n" for line in lines))
    async with await Database.open(load({}).database, dsn) as db:
        return await import_log(db, LineSource(file), asyncio.Event())


def contents(s: Session) -> dict[str, Any]:
    """Log, read models and what comes next, comparable between databases: lanes by what they stand for."""
    lanes = {number: lane for lane, number in s.lanes().items()}
    found: dict[str, Any] = {"events": s.rows("SELECT e.*, event_bytes(e) FROM events e ORDER BY position")}
    for name in READ_MODELS:
        found[name] = s.read_model(name)
    for row in found["background_tasks"].values():
        row["lane"] = lanes[row["lane"]]
    found["settled"] = s.value("SELECT stable_position()")
    return found


def pasts(s: Session, settled: int) -> list[Any]:
    """The answers about some positions of the past, lanes by what they stand for."""
    lanes = {number: lane for lane, number in s.lanes().items()}
    told: list[Any] = []
    for position in range(0, settled + 1, max(settled // 5, 1)):
        tasks = s.rows("SELECT * FROM tasks_at(%s::bigint) ORDER BY task_id", position)
        depths = s.rows("SELECT * FROM queue_depth_at(%s::bigint)", position)
        waiting = [row for row in depths if any(type(value) is int and value for value in row.values())]
        told.append(([row | {"lane": lanes[row["lane"]]} for row in tasks], waiting))
    return told


def is_empty(s: Session) -> bool:
    """Nothing is there, nothing is locked, no position was handed out, every trigger is on."""
    tables = ["events", "lanes", *READ_MODELS]
    rows = sum(s.value(f"SELECT count(*) FROM {name}") for name in tables)
    drawn = s.value("SELECT pg_sequence_last_value('events_position')")
    numbers = s.value("SELECT pg_sequence_last_value('task_number')")
    off = s.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled <> 'A'")
    held = s.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND mode LIKE 'Share%Exclusive%'"
        " AND relation = 'events'::regclass"
    )
    return (rows, drawn, numbers, off, held) == (0, None, None, 0, 0)
