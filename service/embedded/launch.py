"""Starting PostgreSQL on a cluster that exists, and waiting until it is ready."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.embedded import configuration, programs
from service.embedded.account import Account
from service.embedded.binaries import Binaries
from service.embedded.errors import explain
from service.embedded.files import open_private
from service.embedded.place import Place
from service.embedded.postmaster import READY_POLL_SECONDS, Postmaster, ended_server, quit_leftovers
from service.embedded.state import Wish

LARGEST_LOG_BYTES = 10 * 2**20
TAIL_BYTES = 8192
ATTEMPTS = 40
AGAIN_SECONDS = 0.25
PORT_TAKEN = re.compile(r"could not bind|could not create any TCP/IP sockets|Address already in use")
STILL_IN_USE = re.compile(r"pre-existing shared memory block")


@dataclass(frozen=True)
class Launch:
    """Everything a start needs. `go_on` is called while waiting and may raise to break it off."""

    place: Place
    binaries: Binaries
    account: Account
    socket_directory: Path
    wish: Wish
    go_on: Callable[[], None]

    def start(self, port: int) -> tuple[Postmaster, int]:
        """The server, accepting connections, and its port, which differs when the one given was taken.

        Raises EmbeddedError with the end of the log.
        """
        configuration.write(self.place.base, has_lz4(self.binaries))
        said = ""
        for _ in range(ATTEMPTS):
            postmaster, said = self._attempt(port)
            if postmaster is not None:
                return postmaster, port
            if self.wish.tcp and PORT_TAKEN.search(said):
                port = free_port()
            elif STILL_IN_USE.search(said):
                quit_leftovers(self.place.data)
                time.sleep(AGAIN_SECONDS)
            else:
                break
        raise explain("Starting PostgreSQL", said, self.place.data)

    def _attempt(self, port: int) -> tuple[Postmaster | None, str]:
        """One start: the ready server, or none and what it printed."""
        rotate(self.place.postgres_log)
        log = open_private(self.place.postgres_log, os.O_WRONLY | os.O_APPEND)
        try:
            begun_at = os.fstat(log).st_size
            child = programs.begin(
                self._command(port), self.account, log, ended=ended_server(self.place.data)
            )
        finally:
            os.close(log)
        postmaster = Postmaster(child.pid, self.place.data, child)
        ready = False
        try:
            while not postmaster.wait(READY_POLL_SECONDS) and not ready:
                self.go_on()
                ready = postmaster.ready()
        finally:
            if not ready:
                postmaster.stop()
                postmaster.close()
        return (postmaster, "") if ready else (None, tail(self.place.postgres_log, begun_at))

    def _command(self, port: int) -> list[str | Path]:
        """The server's command line; options of the caller come last and win."""
        settings = {
            "config_file": str(self.place.base / "annals.conf"),
            "hba_file": str(self.place.base / "pg_hba.conf"),
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0777",
            "listen_addresses": "127.0.0.1" if self.wish.tcp else "",
            "port": str(port),
        }
        command: list[str | Path] = [self.binaries.directory / "postgres", "-D", self.place.data]
        for name, value in (settings | self.wish.options).items():
            command += ["-c", f"{name}={value}"]
        return command


def has_lz4(binaries: Binaries) -> bool:
    """Whether the programs were built with lz4, as far as their own pg_config tells."""
    try:
        answer = subprocess.run(
            [binaries.directory / "pg_config", "--configure"], capture_output=True, text=True
        )
    except OSError:
        return False
    return "--with-lz4" in answer.stdout


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rotate(log: Path) -> None:
    """Keep one older log when this one has grown large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, begun_at: int = 0) -> str:
    """The end of what was logged after `begun_at`."""
    with log.open("rb") as file:
        file.seek(max(begun_at, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")
