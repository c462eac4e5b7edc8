"""The audit's statements over one connection: which streams there are, their fold, the comparison."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from service.store.pool import Database
from service.store.queries import load
from service.store.wire import Connection

QUERIES = load("service.audit")
# Fewer would take as long, to empty the shadow: on a busy server chunks would shrink and shrink.
FEWEST_STREAMS, MOST_STREAMS, EVENTS_PER_STREAM = 500, 10_000, 4


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A table folded from the log; `stream_type` is None for the heads of all streams that have no row."""

    name: str
    stream_type: str | None
    free_columns: tuple[str, ...]
    pages: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Streams that are folded together: how many, with how many events in all (at least one stream).

    With `seconds`, the next one is bigger or smaller, so that it takes about so long on this machine: folding
    many streams at once is cheap, but a snapshot, and what an interruption waits for, is to be short.
    """

    streams: int = 1000
    events: int = 4000
    seconds: float | None = None

    def after(self, took: float) -> "Chunk":
        """The next chunk, when this one took so many seconds."""
        if self.seconds is None:
            return self
        factor = min(max(self.seconds / max(took, 0.001), 0.5), 2.0)
        streams = min(max(round(self.streams * factor), FEWEST_STREAMS), MOST_STREAMS)
        return replace(self, streams=streams, events=EVENTS_PER_STREAM * streams)


@asynccontextmanager
async def snapshot(db: Database) -> AsyncIterator[Connection]:
    """A connection in one REPEATABLE READ snapshot, rolled back: what is folded there leaves no trace."""
    async with db.acquire() as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()


class Reader:
    """Statements of `queries/`, each a method. Rows come as mappings, jsonb as Python values."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def head(self) -> int:
        """The last position that was handed out: about as many events as there are."""
        return int(await self._connection.fetchval(QUERIES["head"]))

    async def stream_types(self) -> list[tuple[str, bool]]:
        """Every stream type of the log, and whether the heads of its streams are rows of their own."""
        return [
            (row["stream_type"], row["headed"])
            for row in await self._connection.fetch(QUERIES["stream_types"])
        ]

    async def read_models(self) -> list[ReadModel]:
        """Every read model, by name."""
        rows = await self._connection.fetch(QUERIES["read_models"])
        return [
            ReadModel(row["table_name"], row["stream_type"], tuple(row["free_columns"]), row["pages"])
            for row in rows
        ]

    async def next_streams(
        self, stream_type: str, after: str, head: int, chunk: Chunk
    ) -> tuple[dict[str, int], str | None]:
        """The next streams of a type, in order, with the number of their events; and where to go on.

        Streams that began after `head` are left out, so that the first may be empty before the end, which
        is told by None as the second.
        """
        rows = await self._connection.fetch(
            QUERIES["next_streams"], stream_type, after, chunk.streams, chunk.events, head
        )
        last = rows[-1]["stream_id"] if rows else None
        return {row["stream_id"]: row["length"] for row in rows if not row["is_new"]}, last

    async def faults(self, stream_type: str, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Events that cannot be: stream_id, fault, version, position, type, expected (version), fact."""
        return list(map(dict, await self._connection.fetch(QUERIES["faults"], stream_type, ids)))

    async def unhanded_positions(self) -> list[Mapping[str, Any]]:
        """The first events at positions never handed out: position, stream_type, stream_id, version, type."""
        return list(map(dict, await self._connection.fetch(QUERIES["unhanded_positions"])))

    async def fold(self, stream_type: str, ids: Sequence[str]) -> str | None:
        """Fold streams into the shadow; what stands in the way, None when they are there."""
        problem: str | None = await self._connection.fetchval(QUERIES["fold_problem"], stream_type, ids)
        return problem

    async def differences(
        self, read_model: str, stream_type: str, ids: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Rows that differ from the fold of the streams in the shadow: stream_id, row_key, kept, folded."""
        return list(
            map(dict, await self._connection.fetch(QUERIES["compare_shadow"], read_model, stream_type, ids))
        )

    async def row_states(
        self,
        read_model: str,
        stream_type: str,
        stream_id: str,
        row_key: Mapping[str, Any],
        until: int | None = None,
    ) -> list[Mapping[str, Any]]:
        """A row after each event of its stream: position, version, type, actor, recorded_at, data, state."""
        arguments = (read_model, stream_type, stream_id, dict(row_key), until)
        return list(map(dict, await self._connection.fetch(QUERIES["row_states"], *arguments)))

    async def strays(self, read_model: str, first_page: int, last_page: int) -> list[Mapping[str, Any]]:
        """Rows without a stream on these pages of a table: stream_type, stream_id, row_key."""
        return list(
            map(dict, await self._connection.fetch(QUERIES["strays"], read_model, first_page, last_page))
        )
