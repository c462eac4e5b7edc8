"""Measures the steps on a server of its own, on which nobody else works and that cleans up after nobody."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from service.embedded import Server, attach
from service.embedded.binaries import OLDEST_MAJOR, Binaries, installed
from service.settings import load
from service.store.migrate import migrate
from service.store.pool import Database
from service.store.tasks import TaskStore
from tests.costs import wal
from tests.costs.figures import Figures, a_task, count, sum_of
from tests.costs.lives import LIFE, STEPS, Lives, Step
from tests.costs.wire import Meter

# A checkpoint in between would be followed by page images; a vacuum writes when it likes.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1d",
    "wal_compression": "off",
}
# Statements are prepared, and pages of dictionaries written to, before anything is counted.
REHEARSAL = 3
TEMPLATE = "costs"
FLUSH = "SELECT pg_logical_emit_message(true, '', '')"
NAMES = """
    SELECT concat_ws('/', coalesce(nullif(c.reltablespace, 0), d.dattablespace), d.oid,
                     pg_relation_filenode(c.oid)),
           coalesce(owner.relname || '''s long values', c.relname)
    FROM pg_class c
    JOIN pg_database d ON d.datname = current_database()
    LEFT JOIN pg_class owner ON owner.reltoastrelid = c.oid
    WHERE c.relkind IN ('r', 'i', 't', 'S') AND c.relnamespace <> 'pg_catalog'::regnamespace
"""
MakeStore = Callable[[Database], TaskStore]


@dataclass(frozen=True)
class Mark:
    """Where counting stood."""

    lsn: str
    statements: int
    round_trips: int


class Passage(NamedTuple):
    """A step that was taken, between two marks."""

    step: Step
    start: Mark
    end: Mark


class Office:
    """A server with a migrated database, to measure on copies of it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self._folder, self._copies = server, folder, 0
        self.admin = psycopg.connect(server.superuser_dsn(), autocommit=True)
        self.admin.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 OWNER annals".encode())
        migrate(self._dsn(TEMPLATE))

    async def measure(
        self, steps: Sequence[Step] = STEPS, change: str = "", store: MakeStore = TaskStore
    ) -> dict[str, Figures]:
        """What each step costs a task, after a change of the schema, or by another store."""
        self._copies += 1
        name = f"{TEMPLATE}_{self._copies}"
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER annals".encode())
        if change:
            with psycopg.connect(self._dsn(name), autocommit=True) as connection:
                connection.execute(change.encode())
        async with Meter(self._dsn(name), self._folder).serve() as meter:
            room = load().database.model_copy(update={"pool_min": 1, "pool_max": 1})
            async with await Database.open(room, meter.dsn) as db:
                lives = Lives(db, store(db))
                await lives.prepare()
                for step in steps:
                    await _take(step, lives, REHEARSAL)
                passed = [await self._counted(step, lives, meter) for step in steps]
        self.admin.execute(FLUSH)
        return self._figures(name, passed)

    async def _counted(self, step: Step, lives: Lives, meter: Meter) -> Passage:
        if step.setting:
            await step.setting(lives, step.number)
        start = self._mark(meter)
        await step.run(lives, step.number)
        return Passage(step, start, self._mark(meter))

    def _mark(self, meter: Meter) -> Mark:
        row = self.admin.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        assert row
        return Mark(str(row[0]), meter.statements, meter.round_trips)

    def _figures(self, name: str, passed: list[Passage]) -> dict[str, Figures]:
        with psycopg.connect(self.server.superuser_dsn(name)) as connection:
            names = dict(connection.execute(NAMES.encode()).fetchall())
        found = list(wal.records(self.server, passed[0].start.lsn, passed[-1].end.lsn))
        figures: dict[str, Figures] = {}
        for step, start, end in passed:
            first, last = wal.position(start.lsn), wal.position(end.lsn)
            counts = count((record for record in found if first <= record.lsn < last), names)
            counts["statements"] = end.statements - start.statements
            counts["round trips"] = end.round_trips - start.round_trips
            figures[step.name] = a_task(counts, step.number)
        return {"a whole life": sum_of(figures[name] for name in LIFE)} | figures

    def _dsn(self, name: str) -> str:
        return re.sub(r"@/\w+", f"@/{name}", self.server.dsn)


@contextmanager
def office(binaries: Binaries, folder: Path) -> Iterator[Office]:
    """Start a server of these programs; it is gone at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_BIN", str(binaries.directory))
        with attach(folder, options=OPTIONS, linger_seconds=0) as server:
            there = Office(server, folder)
            try:
                yield there
            finally:
                there.admin.close()


def at_hand() -> dict[int, Binaries]:
    """The newest and the oldest major version that are here, the newest first."""
    found = {binaries.major: binaries for binaries in installed() if binaries.major >= OLDEST_MAJOR}
    return {major: found[major] for major in (max(found), min(found))}


async def _take(step: Step, lives: Lives, number: int) -> None:
    if step.setting:
        await step.setting(lives, number)
    await step.run(lives, number)
