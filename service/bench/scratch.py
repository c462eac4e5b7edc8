"""Databases of the benchmark's own: one that is prepared, and a copy of it for every measurement."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from service.errors import AnnalsError, DatabaseUnavailable
from service.store import queries
from service.store.migrate import migrate

QUERIES = queries.load("service.bench")
# PostgreSQL cuts names at 63 bytes, and the rest would no longer tell copies apart.
LONGEST_NAME = 40


class NotAllowed(AnnalsError):
    """The server does not let this user make databases."""

    code = "not_allowed"


class Scratch:
    """Makes copies of a prepared database on the server of `dsn`."""

    def __init__(self, dsn: str, template: str) -> None:
        self.dsn, self.template = dsn, template

    @property
    def template_dsn(self) -> str:
        """Where to prepare what is copied; nobody may be connected to it when it is."""
        return on_database(self.dsn, self.template)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The DSN of a fresh copy, dropped at the end."""
        name = f"{self.template}_{uuid.uuid4().hex[:6]}"
        run(self.dsn, QUERIES.create_database, name=name, template=self.template)
        try:
            yield on_database(self.dsn, name)
        finally:
            run(self.dsn, QUERIES.drop_database, name=name)


@contextmanager
def scratch(dsn: str) -> Iterator[Scratch]:
    """A migrated template on the server of `dsn`, dropped at the end. Raises NotAllowed."""
    with empty(dsn) as place:
        migrate(place.template_dsn)
        yield place


@contextmanager
def empty(dsn: str) -> Iterator[Scratch]:
    """An empty template on the server of `dsn`, dropped at the end. Raises NotAllowed."""
    name = f"{_plain_name(dsn)}_bench_{uuid.uuid4().hex[:8]}"
    try:
        run(dsn, QUERIES.create_database, name=name, template="template0")
    except psycopg.errors.InsufficientPrivilege as error:
        hint = "Give the user the right to make databases: ALTER ROLE ... CREATEDB"
        raise NotAllowed("The benchmark needs a database of its own.", hint=hint) from error
    try:
        yield Scratch(dsn, name)
    finally:
        run(dsn, QUERIES.drop_database, name=name)


def _plain_name(dsn: str) -> str:
    """The name of the database of `dsn`, fit to begin another one, so that leftovers tell whose they are."""
    name = urlsplit(dsn).path.removeprefix("/") or "annals"
    return re.sub(r"\W", "_", name)[:LONGEST_NAME]


def on_database(dsn: str, name: str) -> str:
    """The same server and user, another database."""
    return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{name}", dsn)


def connect(dsn: str) -> "psycopg.Connection[Any]":
    """A connection that commits by itself. Raises DatabaseUnavailable."""
    try:
        return psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable("The database is not available.", hint=str(error)) from None


def run(dsn: str, statement: str, **names: str) -> None:
    """Run one statement outside a transaction, with {name} filled by quoted identifiers."""
    with connect(dsn) as connection:
        filled = {key: sql.Identifier(value) for key, value in names.items()}
        connection.execute(sql.SQL(statement).format(**filled))
