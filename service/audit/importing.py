"""Fill an empty log from an export, in one transaction: all of it or nothing.

The next window of the file is read and checked while the database folds the one before. The database keeps
what was imported so far, so that memory does not grow with the file, and moves the rows of the read models to
their tables at the end. What the database refuses is narrowed down to the line that it refuses.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

import asyncpg

from service.audit.lines import RawEvent
from service.audit.reader import QUERIES
from service.audit.sources import Source, Window
from service.errors import AnnalsError, Conflict, Invalid
from service.lifecycle import before
from service.store.pool import Database
from service.store.wire import Connection

# A window with its folds takes a second; a file may be on a slow disk.
PATIENCE_SECONDS = 3600.0
# SQLSTATEs that are the file's fault: bad values, broken constraints, nested too deep, refused by us.
BLAMED = ("22", "23", "54", "AN")


# What COPY reads as something else than itself.
SPECIAL = re.compile(r"[\\\b\f\n\r\t\v]")


class Interrupted(AnnalsError):
    """The import was stopped; nothing of it is there."""

    code = "interrupted"


@dataclass(frozen=True, slots=True)
class Load:
    """Events as COPY takes them, and the SHA-256 of the texts of their data."""

    rows: bytes
    texts: bytes

    @classmethod
    def of(cls, events: Sequence[RawEvent]) -> "Load":
        """Pack events; a third of the time that a driver takes that knows nothing of them."""
        texts = hashlib.sha256("".join(event.data for event in events).encode())
        return cls("".join(map(_row, events)).encode(), texts.digest())


async def import_log(
    db: Database, source: Source, stop: asyncio.Event, tell: Callable[[int], None] = lambda _: None
) -> int:
    """Import what the source holds; gives the number of events. `tell` hears after each how many are in.

    Raises Conflict when the log is not empty, Invalid (with the line) when the file is wrong, Interrupted
    when `stop` is set before the end.
    """
    try:
        return await _import_all(db, source, stop, tell)
    except asyncpg.InsufficientPrivilegeError as error:
        hint = "Import as the role that migrates: it owns the tables."
        raise Conflict(f"This role may not fill the log: {error}.", hint=hint) from error


async def _import_all(db: Database, source: Source, stop: asyncio.Event, tell: Callable[[int], None]) -> int:
    async with db.transaction() as connection:
        # It may wait for a writer that takes its time; what comes after it waits for nobody.
        await before(stop, connection.execute(QUERIES["begin_import"], timeout=PATIENCE_SECONDS))
        _go_on(stop)
        done = 0
        windows = source.windows()
        upcoming = asyncio.create_task(asyncio.to_thread(_read, windows))
        try:
            while (read := await upcoming) is not None:
                upcoming = asyncio.create_task(asyncio.to_thread(_read, windows))
                _go_on(stop)
                window, load = read
                await _import(connection, window, load, source.unit)
                done += len(window.events)
                tell(done)
        finally:
            await asyncio.gather(upcoming, return_exceptions=True)
        finish = (QUERIES["finish_import"], source.header.last_position)
        await before(stop, connection.execute(*finish, timeout=PATIENCE_SECONDS))
        _go_on(stop)
    return done


def _read(windows: Iterator[Window]) -> tuple[Window, Load] | None:
    """The next window, packed while the database folds the one before."""
    window = next(windows, None)
    return None if window is None else (window, Load.of(window.events))


async def _import(connection: Connection, window: Window, load: Load, unit: str) -> None:
    error = await _refusal(connection, load, keep=True)
    if error is None:
        return
    # The shortest beginning of the window that is refused ends with the line at fault.
    least, most = 1, len(window.events)
    while least < most:
        middle = (least + most) // 2
        if shorter := await _refusal(connection, Load.of(window.events[:middle]), keep=False):
            most, error = middle, shorter
        else:
            least = middle + 1
    message, hint = _told(error)
    raise Invalid(f"{unit} {window.first + most - 1}: {message}", hint=hint) from error


async def _refusal(connection: Connection, load: Load, *, keep: bool) -> asyncpg.PostgresError | None:
    """Import events within a savepoint: why the database refuses them, None when it does not."""
    savepoint = connection.transaction()
    await savepoint.start()
    try:
        await connection.copy_to_table(
            "incoming",
            schema_name="pg_temp",
            columns=RawEvent._fields,
            source=_whole(load.rows),
            timeout=PATIENCE_SECONDS,
        )
        await connection.fetchval(QUERIES["import_events"], load.texts, timeout=PATIENCE_SECONDS)
    except asyncpg.PostgresError as error:
        if not (error.sqlstate or "").startswith(BLAMED):
            raise
        await savepoint.rollback()
        return error
    await (savepoint.commit() if keep else savepoint.rollback())
    return None


async def _whole(rows: bytes) -> AsyncIterator[bytes]:
    """In one piece: a file would be read in a thread of its own, piece by piece."""
    yield rows


def _row(event: RawEvent) -> str:
    """An event as a row of COPY's text format."""
    position, stream_type, stream_id, version, name, data, actor, correlation, cause, trace, at = event
    texts = [stream_type, stream_id, str(version), name, data, actor]
    texts += ["\\N" if text is None else _escaped(str(text)) for text in (correlation, cause, trace)]
    if SPECIAL.search("".join(texts[:6])):
        texts[:6] = map(_escaped, texts[:6])
    return "\t".join([str(position), *texts, at.isoformat()]) + "\n"


def _escaped(text: str) -> str:
    return SPECIAL.sub(_escape, text) if SPECIAL.search(text) else text


def _escape(found: re.Match[str]) -> str:
    return "\\" + {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}.get(found[0], found[0])


def _told(error: asyncpg.PostgresError) -> tuple[str, str]:
    """Message and hint of an error of the server; its detail names the value."""
    message = str(error.args[0]) if error.args else type(error).__name__
    detail = getattr(error, "detail", None)
    return (f"{message} ({detail})" if detail else message), getattr(error, "hint", None) or ""


def _go_on(stop: asyncio.Event) -> None:
    if stop.is_set():
        raise Interrupted("Interrupted: nothing was imported.")
