"""Database errors as errors of ours, at the one place where they leave the store."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from service.errors import AnnalsError, DatabaseUnavailable, Invalid, from_sqlstate

# 22: a value that PostgreSQL cannot take, such as a zero byte in a text.
BAD_VALUE = "22"
# asyncpg's words for a connection, or a pool, that has ended.
ENDED = ("closed", "closing", "released back to the pool")
# What a long-lived connection ends with; its keeper connects again.
LOST = (AnnalsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what asyncpg and the network raise as service.errors; what is nobody's to explain stays a bug.

    Only database calls belong inside: an OSError of anything else would be taken for the database's.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        if known := explain(error):
            raise known from error
        raise
    except asyncpg.DataError as error:
        raise Invalid(f"A value does not fit: {error}.") from error
    except asyncpg.InterfaceError as error:
        if any(word in str(error) for word in ENDED):
            raise DatabaseUnavailable("The database is not available.", hint=str(error)) from error
        raise
    except asyncpg.InternalClientError as error:
        # What asyncpg says when the connection breaks between two messages of one statement.
        raise DatabaseUnavailable("The database is not available.", hint=str(error)) from error
    except TimeoutError as error:
        raise DatabaseUnavailable("The database did not answer in time.") from error
    except OSError as error:
        raise DatabaseUnavailable("The database is not available.", hint=str(error)) from error


def explain(error: asyncpg.PostgresError) -> AnnalsError | None:
    """The error of ours that an error of the server means; None for a bug."""
    sqlstate, message = error.sqlstate or "", str(error.args[0]) if error.args else ""
    if sqlstate.startswith(BAD_VALUE):
        return Invalid(f"A value does not fit: {message}.", hint=getattr(error, "detail", None) or "")
    return from_sqlstate(sqlstate, message, getattr(error, "hint", None))
