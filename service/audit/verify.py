"""Compare the read models with the log, on a live system.

Streams are taken in chunks, type by type. Each chunk is read in one snapshot: its log is checked for holes,
folded in the shadow, and compared row by row with every read model of its type. Afterwards the tables
themselves are gone through for rows that no stream accounts for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.audit.findings import Finding, differing_columns, explain, kind_of
from service.audit.reader import Chunk, Reader, ReadModel, snapshot
from service.errors import NotFound
from service.store.pool import Database

PAGES_AT_ONCE = 1000
# Explaining a row folds its stream again, event by event: enough rows to see a pattern, of streams that are
# not endless.
EXPLAINED_ROWS = 100
EXPLAINED_LENGTH = 10_000


@dataclass(slots=True)
class Verification:
    """What a run looks at, and how far it has come. Setting `stop` ends it after the chunk at hand.

    Streams that began after `head`, the log's head when it started, are not looked at.
    """

    read_models: Sequence[ReadModel]
    head: int
    chunk: Chunk
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    events: int = 0
    found: dict[str, int] = field(default_factory=dict)

    def seen(self, streams: Mapping[str, int]) -> None:
        """Count streams, given with the number of their events."""
        self.streams += len(streams)
        self.events += sum(streams.values())

    def count(self, finding: Finding) -> Finding:
        """Count a finding and give it back."""
        self.found[finding.read_model] = self.found.get(finding.read_model, 0) + 1
        return finding


async def start(db: Database, names: Iterable[str] = (), chunk: Chunk | None = None) -> Verification:
    """Look up what there is to verify: all read models, or those named. Raises NotFound."""
    async with snapshot(db) as connection:
        reader = Reader(connection)
        known = {model.name: model for model in await reader.read_models()}
        names = list(names) or list(known)
        if unknown := [name for name in names if name not in known]:
            raise NotFound(f"Read model not found: {unknown[0]}", hint=f"Read models: {', '.join(known)}.")
        return Verification([known[name] for name in names], await reader.head(), chunk or Chunk())


async def verify(
    db: Database, run: Verification, tell: Callable[[], None] = lambda: None
) -> AsyncIterator[Finding]:
    """Go through log and tables and yield what does not hold; `tell` is called after each chunk."""
    async with snapshot(db) as connection:
        stream_types = await Reader(connection).stream_types()
    for stream_type, headed in stream_types:
        models = [model for model in run.read_models if is_fed_by(model, stream_type, headed)]
        last: str | None = "" if models else None
        while last is not None and not run.stop.is_set():
            async with snapshot(db) as connection:
                reader = Reader(connection)
                streams, last = await reader.next_streams(stream_type, last, run.head, run.chunk)
                findings = await _Look(reader, stream_type, streams, models, run).findings()
            run.seen(streams)
            tell()
            for finding in findings:
                yield run.count(finding)
    async for finding in _strays(db, run):
        yield run.count(finding)


def is_fed_by(model: ReadModel, stream_type: str, headed: bool) -> bool:
    """Whether events of a stream type fold into a read model; `headed`: its heads are rows of another one."""
    return model.stream_type == stream_type if model.stream_type else not headed


async def _strays(db: Database, run: Verification) -> AsyncIterator[Finding]:
    for model in run.read_models:
        for page in range(0, model.pages, PAGES_AT_ONCE):
            if run.stop.is_set():
                return
            async with snapshot(db) as connection:
                rows = await Reader(connection).strays(model.name, page, page + PAGES_AT_ONCE - 1)
            for row in rows:
                stream = f"{row['stream_type']}/{row['stream_id']}"
                yield Finding("stray", model.name, stream, row["row_key"])


@dataclass(frozen=True, slots=True)
class _Look:
    """One chunk of streams in one snapshot."""

    reader: Reader
    stream_type: str
    streams: Mapping[str, int]
    models: Sequence[ReadModel]
    run: Verification

    async def findings(self) -> list[Finding]:
        if not self.streams:
            return []
        holes = await self._holes()
        broken = {finding.stream for finding in holes}
        return [*holes, *await self._differences(list(self.streams), broken)]

    async def _holes(self) -> list[Finding]:
        return [
            Finding(
                "hole",
                "events",
                f"{self.stream_type}/{row['stream_id']}",
                {"version": row["version"]},
                detail=f"version {row['expected']} expected, {row['version']} found",
            )
            for row in await self.reader.broken_streams(self.stream_type, list(self.streams))
        ]

    async def _differences(self, ids: list[str], broken: Collection[str]) -> list[Finding]:
        """Fold and compare; streams that cannot be folded are split off by halves, to hide no other."""
        problem = await self.reader.fold(self.stream_type, ids)
        if problem is None:
            rows = [
                (model, row)
                for model in self.models
                for row in await self.reader.differences(model.name, self.stream_type, ids)
            ]
            return [await self._finding(model, row, broken) for model, row in rows]
        if len(ids) == 1:
            return [Finding("unfoldable", "events", f"{self.stream_type}/{ids[0]}", {}, detail=problem)]
        middle = len(ids) // 2
        first, second = ids[:middle], ids[middle:]
        return [*await self._differences(first, broken), *await self._differences(second, broken)]

    async def _finding(self, model: ReadModel, row: Mapping[str, Any], broken: Collection[str]) -> Finding:
        kept, folded, stream_id = row["kept"], row["folded"], row["stream_id"]
        stream = f"{self.stream_type}/{stream_id}"
        version: int | None = None
        unexplained: tuple[str, ...] = ()
        few = self.run.found.get(model.name, 0) < EXPLAINED_ROWS
        if kept is not None and few and self.streams[stream_id] <= EXPLAINED_LENGTH and stream not in broken:
            told = await self.reader.row_states(model.name, self.stream_type, stream_id, row["row_key"])
            states = [(step["version"], _without(model.free_columns, step["state"])) for step in told]
            version, unexplained = explain(_without(model.free_columns, kept) or {}, states)
        columns = differing_columns(kept, folded)
        kind = kind_of(kept, folded)
        return Finding(kind, model.name, stream, row["row_key"], columns, version, unexplained)


def _without(columns: Collection[str], row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return row and {name: value for name, value in row.items() if name not in columns}
