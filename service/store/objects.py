"""Functions, views, triggers and grants: files that are edited in place and installed as a whole.

One transaction drops what the last install recorded and creates what the files say, so that callers see
either the old set or the new one. A digest over the files tells whether there is anything to do.

The first line of a file becomes its object's comment in the database: \\df+ and \\dv+ say what the files do.
"""

import hashlib
import json
from pathlib import Path

import psycopg

from service.errors import AnnalsError
from service.resources import migrations_dir
from service.store.connecting import Connection
from service.store.queries import load

SQL = load(__package__, "queries/schema")
FOLDERS = ("functions", "views", "grants")
ROLLBACK = ".rollback.sql"
# What a file says when it needs another one that comes later.
NEEDS_ANOTHER = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedObject,
)


class MigrationFailed(AnnalsError):
    """A migration or an object's file cannot be applied; nothing of it was."""

    code = "migration_failed"


def digest_of_files() -> str:
    """Changes with the name and the content of every file."""
    digest = hashlib.sha256()
    for path in [path for folder in FOLDERS for path in _files_of(folder)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def installed_digest(connection: Connection) -> str | None:
    """The digest of what is installed; None when nothing is."""
    row = connection.execute(SQL.installed_digest.encode()).fetchone()
    return str(row[0]) if row else None


def install(connection: Connection, digest: str) -> None:
    """Replace all objects by those of the files. Raises MigrationFailed naming the file that is wrong."""
    with connection.transaction():
        _drop(connection)
        # Folder by folder: grants that ran before a function was created would leave it open to everybody.
        made = [each for folder in FOLDERS for each in _create(connection, _files_of(folder))]
        records = [(kind, identity) for kind, identity, _ in made]
        with connection.cursor() as cursor:
            cursor.executemany(SQL.record_object.encode(), [*records, ("digest", digest)])
        connection.execute(SQL.remember_comments.encode(), [json.dumps(made)])
        connection.execute(SQL.comment_objects.encode())
        connection.execute(SQL.open_shadow.encode())


def remove(connection: Connection) -> None:
    """Drop all objects and what the grants left on the schema."""
    with connection.transaction():
        _drop(connection)
        for path in sorted((migrations_dir() / "grants").glob(f"*{ROLLBACK}")):
            connection.execute(path.read_bytes())


def _drop(connection: Connection) -> None:
    connection.execute(SQL.create_schema_objects.encode())
    connection.execute(SQL.begin_install.encode())
    try:
        connection.execute(SQL.drop_objects.encode())
    except psycopg.errors.DependentObjectsStillExist as error:
        raise MigrationFailed(
            f"Something that is not ours depends on our objects: {error.diag.message_detail}.",
            hint="Drop it, migrate, and create it again; or move it to tables of your own.",
        ) from error


def _present(connection: Connection) -> set[tuple[str, str]]:
    return {(str(kind), str(identity)) for kind, identity in connection.execute(SQL.list_objects.encode())}


def _create(connection: Connection, files: list[Path]) -> list[tuple[str, str, str]]:
    """Create each file's objects; one that needs another of them comes again after the rest.

    Gives (kind, identity, comment) of everything that was made.
    """
    made = []
    before = _present(connection)
    while files:
        waiting = []
        for path in files:
            if not _create_one(connection, path, final=False):
                waiting.append(path)
                continue
            after = _present(connection)
            made += [(*each, _comment_of(path)) for each in sorted(after - before)]
            before = after
        if len(waiting) == len(files):
            _create_one(connection, waiting[0], final=True)
        files = waiting
    return made


def _comment_of(path: Path) -> str:
    """The first line of a file, which says in one sentence what its object does; empty when there is none."""
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("-- ") if first.startswith("-- ") else ""


def _create_one(connection: Connection, path: Path, *, final: bool) -> bool:
    """False when it needs something that is not there yet; `final` says that it will not come."""
    try:
        with connection.transaction():
            connection.execute(path.read_bytes())
    except psycopg.Error as error:
        if isinstance(error, NEEDS_ANOTHER) and not final:
            return False
        if isinstance(error, psycopg.OperationalError):
            raise
        where = f"{path.parent.name}/{path.name}"
        raise MigrationFailed(
            f"{where} cannot be created: {error.diag.message_primary or error}.",
            hint=error.diag.message_hint or error.diag.message_detail or "",
        ) from error
    return True


def _files_of(folder: str) -> list[Path]:
    """The files of one of FOLDERS, by name."""
    files = sorted((migrations_dir() / folder).glob("*.sql"))
    return [path for path in files if not path.name.endswith(ROLLBACK)]
