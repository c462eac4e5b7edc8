"""Brings a database to this release's schema, and back.

Numbered migrations (tables, types, indexes) are applied once each. Functions, views, triggers and grants are
installed again whenever one of their files changed. Migrators take turns by an advisory lock, which goes with
its connection. A database that is up to date is recognised by a few small reads, without a lock.

It may run while workers of the previous release do: it waits for locks only briefly, and tries again, so that
those who queue up behind it are not held for long.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from service.errors import DatabaseUnavailable, from_sqlstate
from service.store import objects
from service.store.connecting import Connection, connection_to
from service.store.numbered import Numbered, numbered
from service.store.objects import SQL, MigrationFailed
from service.store.schema import known_migrations

MIGRATE_LOCK = 0x616E6E616C730001  # not in the range of the append fence
LOCK_PAUSE_SECONDS = 0.1
# Long enough for a report to end, short enough for a person to notice what holds the lock.
PATIENCE_SECONDS = 60.0
OBJECTS = "functions, views and grants"
BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

Progress = Callable[[str], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Applied:
    """What one run did: numbered migrations by name, and whether functions and views were installed again."""

    migrations: tuple[str, ...]
    objects: bool


def migrate(dsn: str, progress: Progress | None = None) -> Applied:
    """Apply what is pending. Raises DatabaseUnavailable, or MigrationFailed saying which file is wrong."""
    say = progress or _silent
    with connection_to(dsn) as connection, _explained():
        if not _pending(connection):
            return Applied((), False)
        with _alone(connection, say):
            if not (pending := _pending(connection)):
                return Applied((), False)
            names = _apply(dsn, say) if pending != [OBJECTS] else ()
            say(OBJECTS)
            digest = objects.digest_of_files()
            _patiently(connection, say, lambda: objects.install(connection, digest))
            return Applied(names, True)


def check(dsn: str) -> list[str]:
    """What `migrate` would do: migrations by name, then OBJECTS if their files changed. Takes no lock.

    Empty also when the database is ahead of this release, whose processes it must still serve.
    """
    with connection_to(dsn) as connection, _explained():
        return _pending(connection) if not _unknown(connection) else []


def down(dsn: str, steps: int, progress: Progress | None = None) -> list[str]:
    """Roll the last `steps` migrations back and give their names; their data are gone.

    Functions and views go first, and come back with the next migrate. After the last migration nothing of
    ours is left in the database.
    """
    say = progress or _silent
    with connection_to(dsn) as connection, _explained(), _alone(connection, say):
        if not _is_migrated(connection):
            return []
        _patiently(connection, say, lambda: objects.remove(connection))
        with numbered(dsn) as ledger:
            names = []
            for migration in ledger.applied()[:steps]:
                say(f"roll back {migration.id}")
                ledger.roll_back(migration)
                names.append(str(migration.id))
            is_empty = not ledger.applied()
        if is_empty:
            connection.execute(SQL.drop_ledgers.encode())
        return names


def _apply(dsn: str, say: Progress) -> tuple[str, ...]:
    with numbered(dsn) as ledger:
        names = []
        for migration in ledger.pending():
            say(f"migration {migration.id}")
            _apply_one(ledger, migration.id, say)
            names.append(str(migration.id))
        return tuple(names)


def _apply_one(ledger: Numbered, name: str, say: Progress) -> None:
    (migration,) = (each for each in ledger.migrations if each.id == name)
    try:
        _patiently(ledger.backend.connection, say, lambda: ledger.apply(migration))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{name}.sql cannot be applied: {error.diag.message_primary or error}.",
            hint=error.diag.message_hint or error.diag.message_detail or "",
        ) from error


def _pending(connection: Connection) -> list[str]:
    known = known_migrations()
    if not _is_migrated(connection):
        return [*known, OBJECTS]
    applied = _applied(connection)
    pending = [name for name in known if name not in applied]
    is_current = not pending and objects.installed_digest(connection) == objects.digest_of_files()
    return [] if is_current else [*pending, OBJECTS]


def _is_migrated(connection: Connection) -> bool:
    row = connection.execute(SQL.is_migrated.encode()).fetchone()
    return bool(row and row[0])


def _applied(connection: Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute(SQL.applied_migrations.encode())}


def _unknown(connection: Connection) -> list[str]:
    return sorted(_applied(connection) - set(known_migrations())) if _is_migrated(connection) else []


@contextmanager
def _alone(connection: Connection, say: Progress) -> Iterator[None]:
    """Hold the migrators' lock. Asked for again and again: a waiting statement would hold a snapshot."""
    told = False
    while not (connection.execute(SQL.try_lock.encode(), [MIGRATE_LOCK]).fetchone() or [False])[0]:
        if not told:
            say("waiting for another migrate to end")
            told = True
        time.sleep(LOCK_PAUSE_SECONDS)
    if unknown := _unknown(connection):
        raise MigrationFailed(
            f"The database is ahead of this release: it has {', '.join(unknown)}.",
            hint="Use the release that made it, or roll back with that release: annals migrate --down 1",
        )
    yield


def _patiently(connection: Connection, say: Progress, work: Callable[[], Result]) -> Result:
    """Do it again while others hold the locks it needs, saying who they are."""
    deadline, told = time.monotonic() + PATIENCE_SECONDS, False
    while True:
        try:
            return work()
        except BUSY as error:
            row = connection.execute(SQL.blockers.encode()).fetchone()
            pids = str(row[0]) if row and row[0] else "unknown"
            if time.monotonic() > deadline:
                raise MigrationFailed(
                    f"Other transactions hold the tables for too long (process {pids}).",
                    hint=f"End them, or look what they do: annals psql -c 'TABLE pg_stat_activity' ({error})",
                ) from error
            if not told:
                say(f"waiting for the transactions of process {pids}")
                told = True
        time.sleep(random.uniform(0.1, 0.5))


@contextmanager
def _explained() -> Iterator[None]:
    """A connection that breaks meanwhile is the database's absence, not a bug."""
    try:
        yield
    except psycopg.OperationalError as error:
        known = from_sqlstate(error.sqlstate or "08000", str(error).strip())
        raise known or DatabaseUnavailable("The database is not available.", hint=str(error)) from error


def _silent(_: str) -> None:
    pass
