"""Brings a database to this release's schema, and back.

Numbered migrations (tables, types, indexes) go through yoyo, once each. Functions, views and grants are
files that are edited in place: whenever one of them changed, all are dropped and created again in one
transaction, so callers see the old set or the new one. yoyo keeps its lock in a table row that survives
a SIGKILL, so a run is wrapped in an advisory lock and breaks what it finds.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from yoyo import get_backend, read_migrations
from yoyo.backends.base import DatabaseBackend
from yoyo.migrations import MigrationList

from service.errors import DatabaseUnavailable
from service.resources import migrations_dir
from service.store.queries import load

MIGRATE_LOCK = 0x616E6E616C730001
OBJECT_KINDS = ("functions", "views", "grants")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Applied:
    """What one run did: numbered migrations by name, and whether functions and views were installed again."""

    migrations: tuple[str, ...]
    objects: bool


def migrate(dsn: str, progress: Progress | None = None) -> Applied:
    """Apply what is pending and install functions, views and grants if they changed. Raises DatabaseUnavailable."""
    say = progress or (lambda text: None)
    with _locked(dsn) as connection:
        names = []
        with _backend(dsn) as (backend, migrations):
            for migration in backend.to_apply(migrations):
                say(f"migration {migration.id}")
                backend.apply_one(migration)
                names.append(migration.id)
        return Applied(tuple(names), _install_objects(connection, say, force=bool(names)))


def check(dsn: str) -> list[str]:
    """What `migrate` would do: pending migrations by name, and `functions and views` when their files changed."""
    with _locked(dsn) as connection, _backend(dsn) as (backend, migrations):
        pending = [migration.id for migration in backend.to_apply(migrations)]
        return pending if _installed(connection) == _digest() else [*pending, "functions and views"]


def down(dsn: str, steps: int, progress: Progress | None = None) -> list[str]:
    """Roll the last `steps` migrations back. Functions and views are dropped first, and installed again when any table is left."""
    say = progress or (lambda text: None)
    with _locked(dsn) as connection:
        connection.execute(load("service.store")["drop_schema_objects"].encode())
        names = []
        with _backend(dsn) as (backend, migrations):
            for migration in list(backend.to_rollback(migrations))[:steps]:
                say(f"roll back {migration.id}")
                backend.rollback_one(migration)
                names.append(migration.id)
            left = bool(list(backend.to_rollback(migrations)))
        connection.execute(b"DROP TABLE IF EXISTS schema_objects")
        if not left:
            connection.execute(b"DROP SCHEMA IF EXISTS shadow CASCADE")
            connection.execute(b"DROP TABLE IF EXISTS _yoyo_log, _yoyo_version, _yoyo_migration, yoyo_lock")
    return names


@contextmanager
def _locked(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"the database does not answer: {error}", hint="Is it running, and is DATABASE_URL right?"
        ) from error
    with connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATE_LOCK])
        yield connection


@contextmanager
def _backend(dsn: str) -> Iterator[tuple[DatabaseBackend, MigrationList]]:
    backend = get_backend(yoyo_url(dsn))
    try:
        backend.break_lock()
        yield backend, read_migrations(str(migrations_dir()))
    finally:
        backend.connection.close()


def yoyo_url(dsn: str) -> str:
    """A postgresql:// DSN as yoyo wants it: psycopg 3, one host, a socket directory as ?host=."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    query.pop("target_session_attrs", None)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    host = hosts.split(",")[0]
    if "host" in query:
        query["host"] = query["host"].split(",")[0]
    elif host.startswith("%2F"):
        query["host"], host = host.replace("%2F", "/"), ""
    netloc = f"{userinfo}@{host}" if userinfo else host
    return f"postgresql+psycopg://{netloc}{quote(parts.path)}" + (
        f"?{urlencode(query, safe='/')}" if query else ""
    )


def _files(kind: str) -> list[Path]:
    return sorted((migrations_dir() / kind).glob("*.sql"))


def _digest() -> str:
    digest = hashlib.sha256()
    for kind in OBJECT_KINDS:
        for path in _files(kind):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _installed(connection: psycopg.Connection) -> str | None:
    try:
        row = connection.execute(load("service.store")["installed_digest"].encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None


def _install_objects(connection: psycopg.Connection, say: Progress, force: bool) -> bool:
    digest = _digest()
    if not force and _installed(connection) == digest:
        return False
    say("functions, views and grants")
    queries = load("service.store")
    with connection.transaction():
        connection.execute(b"SET LOCAL check_function_bodies = off")
        connection.execute(b"SET LOCAL client_min_messages = warning")
        connection.execute(queries["create_schema_objects"].encode())
        connection.execute(queries["drop_schema_objects"].encode())
        for kind in OBJECT_KINDS:
            _create(connection, _files(kind))
        names = {kind: [path.stem for path in _files(kind)] for kind in ("functions", "views")}
        connection.execute(queries["record_schema_objects"].encode(), {"digest": digest, **names})
        connection.execute(queries["open_shadow_if_there"].encode())
    return True


def _create(connection: psycopg.Connection, files: list[Path]) -> None:
    """Create each file's object; one that needs another of them is tried again after the rest."""
    while files:
        waiting: list[Path] = []
        for path in files:
            try:
                with connection.transaction():
                    connection.execute(path.read_bytes())
            except (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable) as error:
                waiting.append(path)
                reason = error
        if len(waiting) == len(files):
            raise RuntimeError(f"{waiting[0].name} cannot be created: {reason}") from reason
        files = waiting
