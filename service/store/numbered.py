"""The numbered migrations: what yoyo does, over connections that are set up our way.

yoyo's own URLs know neither several hosts nor encoded socket paths, and for its log it asks the operating
system for a user name, which an account without a passwd entry has not; so its backend is told both here.
"""

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList, default_migration_table

from service.resources import migrations_dir
from service.store.connecting import parameters


class Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's psycopg backend; it copies itself, and so connects, for each migration."""

    def connect(self, dburi: DatabaseURI) -> Any:
        """Connect with libpq's own parameters, which travel as the URI's arguments."""
        return psycopg.connect(**dburi.args, autocommit=True)

    def get_log_data(self, migration: Migration = None, operation: str = "apply") -> dict[str, Any]:
        """A line of yoyo's log, with the database's user in it; the host by its own name, without DNS."""
        return {
            "id": str(uuid.uuid1()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": self.connection.info.user,
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


@dataclass(frozen=True)
class Numbered:
    """The migrations of this release and a database to apply them to."""

    backend: Backend
    migrations: MigrationList

    def pending(self) -> list[Migration]:
        """Those still to be applied, in order."""
        return list(self.backend.to_apply(self.migrations))

    def applied(self) -> list[Migration]:
        """Those that were applied, the last one first."""
        return list(self.backend.to_rollback(self.migrations))

    def apply(self, migration: Migration) -> None:
        """Apply one. A crash may come before the mark that it is applied, so each one may run twice."""
        self.backend.apply_one(migration)

    def roll_back(self, migration: Migration) -> None:
        """Take one back."""
        self.backend.rollback_one(migration)


@contextmanager
def numbered(dsn: str) -> Iterator[Numbered]:
    """yoyo on a database, for whoever holds the migrator's lock: another lock of yoyo's is a dead one's."""
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, None, parameters(dsn))
    backend = Backend(uri, default_migration_table)
    try:
        backend.init_database()
        backend.break_lock()
        yield Numbered(backend, read_migrations(str(migrations_dir())))
    finally:
        backend.connection.close()
