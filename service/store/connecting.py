"""The migrator's own connections: psycopg, because yoyo drives the numbered migrations with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.errors import DatabaseUnavailable, Invalid

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

# Ours are the objects of schema public. A migration that waits for a lock makes everybody behind it wait too.
OPTIONS = "-c search_path=public -c lock_timeout=2s -c client_min_messages=warning -c statement_timeout=0"


def parameters(dsn: str) -> dict[str, Any]:
    """What libpq needs to connect as the migrator; takes every form of DSN. Raises Invalid."""
    try:
        given = {"connect_timeout": 10, "application_name": "annals migrate"} | conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise Invalid(f"The database URL is not one: {error}.", hint="See DATABASE_URL.") from None
    return given | {"options": f"{given.get('options') or ''} {OPTIONS}".strip()}


@contextmanager
def connection_to(dsn: str) -> Iterator[Connection]:
    """A connection outside of any transaction. Raises DatabaseUnavailable."""
    try:
        connection = psycopg.connect(**parameters(dsn), autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable("The database is not available.", hint=str(error).strip()) from error
    with connection:
        yield connection
