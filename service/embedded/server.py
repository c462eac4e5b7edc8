"""The running server, as its users see it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.embedded.errors import EmbeddedError
from service.embedded.place import Place
from service.embedded.postmaster import read_pid_file
from service.embedded.state import State

DATABASE = "annals"
USER = "annals"
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Server:
    """An attached server; good for as long as the `attach` block lasts."""

    place: Place
    state: State

    @property
    def dsn(self) -> str:
        """The service's database over the Unix socket; asyncpg, psycopg, psql and yoyo take it."""
        return self._socket_dsn(USER, DATABASE)

    @property
    def tcp_dsn(self) -> str:
        """The same over TCP on 127.0.0.1, with its password. Raises EmbeddedError when TCP is off."""
        if not self.state.wish.tcp:
            raise EmbeddedError("The embedded server runs without TCP.", "Attach to it with tcp=True.")
        return f"postgresql://{USER}:{self.place.password.read_text()}@127.0.0.1:{self.state.port}/{DATABASE}"

    def superuser_dsn(self, database: str = DATABASE) -> str:
        """A database as superuser, over the Unix socket."""
        return self._socket_dsn(SUPERUSER, database)

    def _socket_dsn(self, user: str, database: str) -> str:
        host = quote(self.state.socket_directory, safe="/")
        return f"postgresql://{user}@/{quote(database)}?host={host}&port={self.state.port}"

    @property
    def pid(self) -> int:
        """The server's main process now; it changes when the server died and was restarted."""
        found = read_pid_file(self.data_dir)
        if found is None:
            raise EmbeddedError("The embedded server is starting.", f"See {self.place.postgres_log}.")
        return found.pid

    @property
    def major(self) -> int:
        """The major version."""
        return self.state.major

    @property
    def data_dir(self) -> Path:
        """The cluster's directory."""
        return self.place.data

    @property
    def bin_dir(self) -> Path:
        """The directory of the server's programs."""
        return Path(self.state.bin_dir)

    def tool(self, name: str) -> Path:
        """A client program (psql, pg_dump): the server's own, else the one on the PATH."""
        own = self.bin_dir / name
        found = str(own) if own.exists() else shutil.which(name)
        if found is None:
            raise EmbeddedError(f"No {name} is installed.", "Install PostgreSQL's client programs.")
        return Path(found)
