"""The database of the tests: a template, migrated once, and quick copies of it.

`database` is the DSN of a clone of one's own, dropped afterwards: for everything that commits (NOTIFY needs
it). `db` is a connection inside a transaction that is rolled back. The server is the embedded one, below
var/test, or the one DATABASE_URL names (its user must be allowed to create databases).

The template's name carries a hash of migrations and code, so that it is made again only when one of them
changed; an advisory lock lets one process make it while the others wait.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE_LOCK = 0x616E6E616C73  # "annals"

os.environ["ANNALS_ENV"] = "test"


@dataclass(frozen=True)
class Server:
    """A server to make databases on: `admin` may create them, `user` is the DSN tests connect with."""

    admin: str
    user: str
    is_ours: bool

    def dsn(self, database: str) -> str:
        return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{database}", self.user)

    def execute(self, statement: str, *names: str) -> list[tuple[object, ...]]:
        """Run one statement outside a transaction, with `{}` filled by quoted identifiers; gives its rows."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str) -> None:
        """Copy a template; owned by the user the tests connect as."""
        owner = urlsplit(self.user).username or "postgres"
        self.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", database, template, owner)

    def drop(self, database: str) -> None:
        self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this session, started when nobody has yet."""
    if url := os.environ.get("DATABASE_URL"):
        yield Server(url, url, is_ours=False)
        return
    from service.embedded import attach

    with attach(ROOT / "var" / "test") as embedded:
        yield Server(embedded.superuser_dsn("postgres"), embedded.dsn, is_ours=True)


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The name of a migrated database that nobody connects to."""
    name = f"annals_template_{_fingerprint()}"
    with psycopg.connect(server.admin, autocommit=True) as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        databases = {str(row[0]) for row in lock.execute("SELECT datname FROM pg_database")}
        if name not in databases:
            _remove_leftovers(server, databases)
            _make_template(server, name)
    return name


@pytest.fixture
def database(server: Server, template: str) -> Iterator[str]:
    """The DSN of a fresh database of one's own."""
    with _clone(server, template) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def shared_database(server: Server, template: str) -> Iterator[str]:
    """The DSN of one database for all tests of a process that leave nothing behind."""
    with _clone(server, template) as dsn:
        yield dsn


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


@contextmanager
def _clone(server: Server, template: str) -> Iterator[str]:
    name = f"annals_test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
    server.create(name, template)
    try:
        yield server.dsn(name)
    finally:
        server.drop(name)


def _make_template(server: Server, name: str) -> None:
    """Migrate under another name first: a template that exists is complete."""
    from service.store.migrate import migrate

    draft = f"annals_test_{os.getpid()}_template"
    server.create(draft, "template0")
    migrate(server.dsn(draft))
    server.execute("ALTER DATABASE {} RENAME TO {}", draft, name)


def _remove_leftovers(server: Server, databases: set[str]) -> None:
    """Drop what killed sessions left and templates of older code; a foreign server is left alone."""
    for name in databases:
        is_stale = name.startswith("annals_test_") and not _is_alive(int(name.split("_")[2]))
        if server.is_ours and (is_stale or name.startswith("annals_template_")):
            with suppress(psycopg.errors.ObjectInUse):
                server.execute("DROP DATABASE {}", name)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _fingerprint() -> str:
    """Changes when a migration, or code that fills a new database, changes."""
    digest = hashlib.sha256()
    for folder, pattern in (("migrations", "**/*"), ("service", "**/*.py")):
        for path in sorted((ROOT / folder).glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
