"""Compare the read models with the log, on a live system.

Streams are taken in chunks, type by type. Each chunk is read in one snapshot: its log is checked for holes,
folded in the shadow, and compared row by row with every read model of its type. Afterwards the tables
themselves are gone through for rows that no stream accounts for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
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
    """How far a verify has come: what it will look at, and what it has seen."""

    read_models: Sequence[ReadModel]
    events_expected: int
    streams: int = 0
    events: int = 0
    found: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False

    def count(self, finding: Finding) -> None:
        self.found[finding.read_model] = self.found.get(finding.read_model, 0) + 1


async def start(db: Database, names: Iterable[str] = ()) -> Verification:
    """Look up what there is to verify: all read models, or those named. Raises NotFound."""
    async with snapshot(db) as connection:
        reader = Reader(connection)
        known = {model.name: model for model in await reader.read_models()}
        names = list(names) or list(known)
        if unknown := [name for name in names if name not in known]:
            raise NotFound(f"Read model not found: {unknown[0]}", hint=f"Read models: {', '.join(known)}.")
        return Verification([known[name] for name in names], await reader.log_size())


async def verify(
    db: Database,
    run: Verification,
    stop: asyncio.Event | None = None,
    chunk: Chunk | None = None,
    tell: Callable[[], None] = lambda: None,
) -> AsyncIterator[Finding]:
    """Go through log and tables and yield what does not hold. Ends early on `stop`.

    `run` is kept up to date, and `tell` is called after each chunk.
    """
    stop = stop or asyncio.Event()
    async with snapshot(db) as connection:
        stream_types = await Reader(connection).stream_types()
    for stream_type, headed in stream_types:
        models = [model for model in run.read_models if is_fed_by(model, stream_type, headed)]
        after = ""
        while models and not stop.is_set():
            async with snapshot(db) as connection:
                streams = await Reader(connection).next_streams(stream_type, after, chunk or Chunk())
                findings = await _Look(Reader(connection), stream_type, streams, models, run).findings()
            if not streams:
                break
            after = list(streams)[-1]
            run.streams += len(streams)
            run.events += sum(streams.values())
            tell()
            for finding in findings:
                run.count(finding)
                yield finding
    async for finding in _strays(db, run, stop):
        run.count(finding)
        yield finding
    run.interrupted = stop.is_set()


def is_fed_by(model: ReadModel, stream_type: str, headed: bool) -> bool:
    """Whether events of a stream type fold into a read model; `headed`: its heads are rows of another one."""
    return model.stream_type == stream_type if model.stream_type else not headed


async def _strays(db: Database, run: Verification, stop: asyncio.Event) -> AsyncIterator[Finding]:
    for model in run.read_models:
        for page in range(0, model.pages, PAGES_AT_ONCE):
            if stop.is_set():
                return
            async with snapshot(db) as connection:
                rows = await Reader(connection).strays(model.name, page, page + PAGES_AT_ONCE - 1)
            for row in rows:
                yield Finding("stray", model.name, f"{row['stream_type']}/{row['stream_id']}", row["row_key"])


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
        return [*await self._holes(), *await self._differences(list(self.streams))]

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

    async def _differences(self, ids: list[str]) -> list[Finding]:
        """Fold and compare; streams that cannot be folded are split off by halves, to hide no other."""
        problem = await self.reader.fold(self.stream_type, ids)
        if problem is None:
            rows = [
                (model.name, row)
                for model in self.models
                for row in await self.reader.differences(model.name, self.stream_type, ids)
            ]
            return [await self._finding(name, row) for name, row in rows]
        if len(ids) == 1:
            return [Finding("unfoldable", "events", f"{self.stream_type}/{ids[0]}", {}, detail=problem)]
        middle = len(ids) // 2
        return [*await self._differences(ids[:middle]), *await self._differences(ids[middle:])]

    async def _finding(self, read_model: str, row: Mapping[str, Any]) -> Finding:
        kept, folded, stream_id = row["kept"], row["folded"], row["stream_id"]
        version: int | None = None
        unexplained: tuple[str, ...] = ()
        few = self.run.found.get(read_model, 0) < EXPLAINED_ROWS
        if kept is not None and few and self.streams[stream_id] <= EXPLAINED_LENGTH:
            states = await self.reader.row_states(read_model, self.stream_type, stream_id, row["row_key"])
            version, unexplained = explain(kept, [(state["version"], state["state"]) for state in states])
        return Finding(
            kind_of(kept, folded),
            read_model,
            f"{self.stream_type}/{stream_id}",
            row["row_key"],
            differing_columns(kept, folded),
            version,
            unexplained,
        )
