"""The database of the tests: a template, migrated once, and quick copies of it.

`database` is the DSN of a clone of one's own, dropped afterwards: for everything that commits (NOTIFY needs
it). `db` is a connection inside a transaction that is rolled back. The server is the embedded one, or the one
DATABASE_URL names (its user must be allowed to create databases).

The embedded one keeps its data in memory where the machine has a file system for that, else below var/test:
a clone is 415 files that are soon deleted again, and an ext4 without a journal, as virtual machines have it,
takes up to ten times as long to make a file after others were deleted. What stays for the next session is
about 200 MB; `rm -r /dev/shm/annals-test-*` frees it.

Names carry a fingerprint of migrations and code, so that the template is made again only when one of them
changed. Every process holds a shared advisory lock on its fingerprint: what nobody holds is a leftover of
older code or of a killed session, and goes when the next template is made.
"""

import hashlib
import json
import os
import re
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import asyncpg
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE_LOCK = 0x616E6E616C73  # "annals"

OPTIONS = {
    # It need not survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    # A small database needs no more, and to drop one all buffers are looked through.
    "shared_buffers": "128MB",
    # Vacuum of a test's rows would change plans in the midst of it, one of the template keep clones waiting.
    "autovacuum": "off",
    # What is in memory should stay small.
    "max_wal_size": "256MB",
    "min_wal_size": "64MB",
}
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 * 2**30

os.environ["ANNALS_ENV"] = "test"
# Under another name: the settings refuse a variable that they do not know. Workers of xdist inherit it.
os.environ["SNAPSHOTS"] = os.environ.pop("ANNALS_SNAPSHOTS", None) or os.environ.get("SNAPSHOTS", "")

# How long an example takes says how busy the machine is. Fixtures of a function are read, or rolled back.
settings.register_profile(
    "annals",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("annals")

# Those whose single tests take longest come first: what begins late ends on one core, while the other idles.
LONGEST_FIRST = ("chaos", "acceptance", "forgery", "model", "integration", "sql", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the directories in this order; files stay together, as `--dist loadfile` hands them out."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(ROOT / "tests").parts[0], len(rank)))


@dataclass(frozen=True)
class Server:
    """A server to make databases on, by a DSN whose user may do so."""

    url: str

    def dsn(self, database: str) -> str:
        return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{database}", self.url)

    def execute(self, statement: str, *names: str) -> None:
        """Run one statement outside a transaction, with `{}` filled by quoted names."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    @contextmanager
    def clone(self, template: str) -> Iterator[str]:
        """The DSN of a copy of the template, dropped afterwards."""
        name = f"{template.replace('template', 'test')}_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {{}} TEMPLATE {{}} STRATEGY {self.strategy}", name, template)
        try:
            yield self.dsn(name)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    @cached_property
    def strategy(self) -> str:
        """How to copy: files cost a tenth of pages through the log, unless each is flushed to disk."""
        with psycopg.connect(self.url) as connection:
            flushes = (connection.execute("SHOW fsync").fetchone() or ["on"])[0] == "on"
        return "wal_log" if flushes else "file_copy"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this session, started when nobody has yet."""
    if url := os.environ.get("DATABASE_URL"):
        yield Server(url)
        return
    from service.embedded import attach

    with attach(_home(), options=OPTIONS, linger_seconds=5) as embedded:
        yield Server(embedded.dsn)


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a migrated database that nobody connects to; kept from removal during the session."""
    fingerprint = _fingerprint()
    name = f"annals_template_{fingerprint}"
    with psycopg.connect(server.url, autocommit=True) as keeper:
        keeper.execute("SELECT pg_advisory_lock_shared(%s)", [int(fingerprint, 16)])
        keeper.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        databases = [str(row[0]) for row in keeper.execute("SELECT datname FROM pg_database")]
        if name not in databases:
            _remove_leftovers(server, databases)
            _make_template(server, name)
        keeper.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
        yield name


@pytest.fixture
def database(server: Server, template: str) -> Iterator[str]:
    """The DSN of a fresh database of one's own."""
    with server.clone(template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(server: Server, template: str) -> Iterator[str]:
    """The DSN of one database for those tests of a module that do not disturb each other."""
    with server.clone(template) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def shared_database(server: Server, template: str) -> Iterator[str]:
    """The DSN of one database for all tests of a process that leave nothing behind."""
    with server.clone(template) as dsn:
        yield dsn
        with psycopg.connect(dsn) as connection:
            left = connection.execute("SELECT position, type, stream_id FROM events LIMIT 5").fetchall()
        # Found here it names the tasks; in a test of another module it would be a riddle.
        assert not left, f"a test committed to the shared database: {left}"


@pytest.fixture
async def db(shared_database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection whose transaction is rolled back; json and jsonb are Python values."""
    connection = await asyncpg.connect(shared_database)
    try:
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()
    finally:
        await connection.close()


def _home() -> Path:
    """Where the embedded server has its data; one place for each user and checkout."""
    # A container's is often too small, or runs no programs, of which the server may need a copy.
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        there = os.statvfs(MEMORY)
        if there.f_bavail * there.f_frsize >= MEMORY_NEEDED and not there.f_flag & os.ST_NOEXEC:
            return MEMORY / f"annals-test-{os.getuid()}-{zlib.crc32(str(ROOT).encode()):08x}"
    return ROOT / "var" / "test"


def _make_template(server: Server, name: str) -> None:
    """Migrate under another name first: a template that exists is complete."""
    from service.store.migrate import migrate

    draft = name.replace("template", "draft")
    server.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", draft)
    server.execute("CREATE DATABASE {} TEMPLATE template0", draft)
    migrate(server.dsn(draft))
    server.execute("ALTER DATABASE {} RENAME TO {}", draft, name)


def _remove_leftovers(server: Server, databases: list[str]) -> None:
    """Drop the databases of every fingerprint that no process holds."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name in databases:
            if found := re.match(r"annals_(?:template|draft|test)_([0-9a-f]{15})", name):
                key = [int(found[1], 16)]
                if (connection.execute("SELECT pg_try_advisory_lock(%s)", key).fetchone() or [False])[0]:
                    server.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
                    connection.execute("SELECT pg_advisory_unlock(%s)", key)


def _fingerprint() -> str:
    """Changes when a migration, or code that fills a new database, changes."""
    digest = hashlib.sha256()
    for folder, pattern in (("migrations", "**/*"), ("service", "**/*.py")):
        for path in sorted((ROOT / folder).glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:15]
