"""What can go wrong with the embedded server, in words that say what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from service.errors import DatabaseUnavailable


class EmbeddedError(DatabaseUnavailable):
    """The embedded server cannot be had. `hint` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)


class Cause(NamedTuple):
    """A pattern in PostgreSQL's log, what it means, and what to do."""

    pattern: re.Pattern[str]
    message: str
    hint: str


CAUSES = (
    Cause(
        re.compile(r"No space left on device|Disk quota exceeded"),
        "The disk is full: PostgreSQL cannot write in {data}.",
        "Free some space there, or choose another place with --home or ANNALS_HOME; then start again.",
    ),
    Cause(
        re.compile(r"lock file .* already exists"),
        "Another process has the number that {data}/postmaster.pid names.",
        "End that process if it is a PostgreSQL server on this data. If it is none, starting again after it "
        "has ended is safe; the file itself is left alone, because it protects the data.",
    ),
    Cause(
        re.compile(r"database files are incompatible with server"),
        "The data in {data} belong to another version of PostgreSQL.",
        "Set PG_BIN to the directory of that version's programs, or choose another --home.",
    ),
    Cause(
        re.compile(r"has wrong ownership|has invalid permissions|Permission denied"),
        "PostgreSQL may not use {data}: an owner or a permission is wrong.",
        "The directory and all in it must belong to one unprivileged account, with mode 0700.",
    ),
    Cause(
        re.compile(r"could not (map anonymous|resize) shared memory|Cannot allocate memory"),
        "There is not enough memory for PostgreSQL.",
        "Set a lower shared_buffers in {data}/../local.conf, or give the machine more memory.",
    ),
    Cause(
        re.compile(r"could not locate a valid checkpoint record|invalid checkpoint|checksum mismatch"),
        "The data in {data} are damaged.",
        "Restore them from a backup, or move the directory away to begin with an empty database.",
    ),
    Cause(
        re.compile(
            r"unrecognized configuration parameter|invalid value for parameter|configuration file .* errors"
        ),
        "PostgreSQL refuses its configuration.",
        "Correct {data}/../local.conf or postgresql.conf; the lines below name the setting.",
    ),
)


def explain(doing: str, log: str, data: object) -> EmbeddedError:
    """The error for a PostgreSQL program that failed while `doing` something, from the tail of its log."""
    tail = "\n".join("    " + line for line in log.strip().splitlines()[-12:]) or "    (it printed nothing)"
    for cause in CAUSES:
        if cause.pattern.search(log):
            return EmbeddedError(
                cause.message.format(data=data), f"{cause.hint.format(data=data)}\nPostgreSQL said:\n{tail}"
            )
    return EmbeddedError(f"{doing} failed.", f"PostgreSQL said:\n{tail}")


def unexpected(error: OSError, base: Path) -> EmbeddedError:
    """An error of the operating system as one that names the place."""
    return EmbeddedError(
        f"The embedded server cannot work in {base}: {error}.",
        "Free some space there, put its permissions right, or choose another --home; then start again.",
    )
