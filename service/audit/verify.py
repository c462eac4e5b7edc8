"""Compare the read models with the log, on a live system.

Streams are taken in chunks, type by type. Each chunk is read in one snapshot: its log is judged by itself
(holes, order, causes, times), folded in the shadow, and compared row by row with every read model of its
type. Afterwards the tables themselves are gone through for rows that no stream accounts for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from service.audit.explaining import finding_of
from service.audit.findings import Finding, fault_of, unhanded
from service.audit.reader import Chunk, Reader, ReadModel, snapshot
from service.errors import NotFound
from service.lifecycle import before
from service.store.pool import Database

PAGES_AT_ONCE = 1000
# A short snapshot of a live system; an interruption cuts it off.
VERIFIED = Chunk(seconds=0.5)
# Explaining a row folds its stream again, event by event: enough rows to see a pattern, in bounded time.
EXPLAINED_ROWS = 100
EXPLAINED_EVENTS = 20_000


@dataclass(slots=True)
class Verification:
    """What a run looks at, and how far it has come.

    Setting `stop` ends it at once: the chunk at hand is cut off. Streams that began after `head`, the log's
    head when it started, are not looked at.
    """

    read_models: Sequence[ReadModel]
    head: int
    chunk: Chunk
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    events: int = 0
    explained: int = 0
    found: dict[str, int] = field(default_factory=dict)

    def seen(self, streams: Mapping[str, int], took: float) -> None:
        """Count streams, given with the number of their events, that took so many seconds."""
        self.streams += len(streams)
        self.events += sum(streams.values())
        self.chunk = self.chunk.after(took)

    def count(self, finding: Finding) -> Finding:
        """Count a finding and give it back."""
        self.found[finding.read_model] = self.found.get(finding.read_model, 0) + 1
        return finding

    def may_explain(self, read_model: str, events: int) -> bool:
        """Whether a row whose stream is so long is explained; if so, that is counted."""
        few = self.found.get(read_model, 0) < EXPLAINED_ROWS
        if few and self.explained + events <= EXPLAINED_EVENTS:
            self.explained += events
            return True
        return False


async def start(db: Database, names: Iterable[str] = (), chunk: Chunk = VERIFIED) -> Verification:
    """Look up what there is to verify: all read models, or those named. Raises NotFound."""
    async with snapshot(db) as connection:
        reader = Reader(connection)
        known = {model.name: model for model in await reader.read_models()}
        names = list(names) or list(known)
        if unknown := [name for name in names if name not in known]:
            raise NotFound(f"Read model not found: {unknown[0]}", hint=f"Read models: {', '.join(known)}.")
        return Verification([known[name] for name in names], await reader.head(), chunk)


async def verify(
    db: Database, run: Verification, tell: Callable[[], None] = lambda: None
) -> AsyncIterator[Finding]:
    """Go through log and tables and yield what does not hold; `tell` is called after each chunk."""
    async with snapshot(db) as connection:
        reader = Reader(connection)
        stream_types = await reader.stream_types()
        findings = [unhanded(row) for row in await reader.unhanded_positions()]
    for finding in findings:
        yield run.count(finding)
    for stream_type, headed in stream_types:
        models = [model for model in run.read_models if is_fed_by(model, stream_type, headed)]
        last: str | None = "" if models else None
        while last is not None and not run.stop.is_set():
            looked = await before(run.stop, _chunk(db, run, stream_type, last, models))
            if looked is None:
                return
            last, findings = looked
            tell()
            for finding in findings:
                yield run.count(finding)
    async for finding in _strays(db, run, tell):
        yield run.count(finding)


def is_fed_by(model: ReadModel, stream_type: str, headed: bool) -> bool:
    """Whether events of a stream type fold into a read model; `headed`: its heads are rows of another one."""
    return model.stream_type == stream_type if model.stream_type else not headed


def unfoldable(stream: str, problem: str) -> Finding:
    """The finding for a stream that the folds refuse."""
    return Finding("unfoldable", "events", stream, {}, problem)


def stray(read_model: str, row: Mapping[str, Any]) -> Finding:
    """The finding for a row of rows_without_stream."""
    stream = f"{row['stream_type']}/{row['stream_id']}"
    explanation = f"{read_model} has the row, and {stream} has no event"
    return Finding("stray", read_model, stream, row["row_key"], explanation)


async def _chunk(
    db: Database, run: Verification, stream_type: str, last: str, models: Sequence[ReadModel]
) -> tuple[str | None, list[Finding]]:
    """One chunk after a stream: where to go on, and what does not hold."""
    began = monotonic()
    async with snapshot(db) as connection:
        reader = Reader(connection)
        streams, following = await reader.next_streams(stream_type, last, run.head, run.chunk)
        findings = await _Look(reader, stream_type, streams, models, run).findings()
    run.seen(streams, monotonic() - began)
    return following, findings


async def _strays(db: Database, run: Verification, tell: Callable[[], None]) -> AsyncIterator[Finding]:
    for model in run.read_models:
        for page in range(0, model.pages, PAGES_AT_ONCE):
            if run.stop.is_set():
                return
            async with snapshot(db) as connection:
                rows = await Reader(connection).strays(model.name, page, page + PAGES_AT_ONCE - 1)
            tell()
            for row in rows:
                yield stray(model.name, row)


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
        faults = await self.reader.faults(self.stream_type, list(self.streams))
        found = [fault_of(self.stream_type, row) for row in faults]
        broken = {finding.stream for finding in found if finding.kind == "hole"}
        return [*found, *await self._differences(list(self.streams), broken)]

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
            return [unfoldable(f"{self.stream_type}/{ids[0]}", problem)]
        middle = len(ids) // 2
        first, second = ids[:middle], ids[middle:]
        return [*await self._differences(first, broken), *await self._differences(second, broken)]

    async def _finding(self, model: ReadModel, row: Mapping[str, Any], broken: Collection[str]) -> Finding:
        stream_id = row["stream_id"]
        stream = f"{self.stream_type}/{stream_id}"
        steps: list[Mapping[str, Any]] = []
        if stream not in broken and self.run.may_explain(model.name, self.streams[stream_id]):
            steps = await self.reader.row_states(model.name, self.stream_type, stream_id, row["row_key"])
        free = model.free_columns
        told = [{**step, "state": _without(free, step["state"])} for step in steps]
        bound = {side: _without(free, row[side]) for side in ("kept", "folded")}
        return finding_of(model.name, stream, {**row, **bound}, told)


def _without(columns: Collection[str], row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return row and {name: value for name, value in row.items() if name not in columns}
