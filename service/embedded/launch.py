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
from service.embedded.locks import give_to_owner
from service.embedded.postmaster import READY_POLL_SECONDS, Postmaster, quit_leftovers

LARGEST_LOG_BYTES = 10 * 2**20
TAIL_BYTES = 8192
ATTEMPTS = 20
AGAIN_SECONDS = 0.25
PORT_TAKEN = re.compile(r"could not bind|could not create any TCP/IP sockets|Address already in use")
STILL_IN_USE = re.compile(r"pre-existing shared memory block")

GoOn = Callable[[], None]


@dataclass(frozen=True)
class Launch:
    """Everything a start needs. `go_on` is called while waiting and may raise to break it off."""

    binaries: Binaries
    data: Path
    account: Account
    log: Path
    socket_directory: Path
    tcp: bool
    options: dict[str, str]
    go_on: GoOn

    def start(self, port: int) -> tuple[Postmaster, int]:
        """Start the server and wait until it accepts connections; the port may differ when it was taken.

        Raises EmbeddedError with the end of the log.
        """
        configuration.write(self.data, self._has_lz4())
        for _ in range(ATTEMPTS):
            said = self._attempt(port)
            if isinstance(said, Postmaster):
                return said, port
            if self.tcp and PORT_TAKEN.search(said):
                port = free_port()
            elif STILL_IN_USE.search(said):
                quit_leftovers(self.data)
                time.sleep(AGAIN_SECONDS)
            else:
                break
        raise explain("Starting PostgreSQL", said, self.data)

    def _attempt(self, port: int) -> Postmaster | str:
        """One start: the ready server, or what a failed one printed."""
        rotate(self.log)
        with self.log.open("ab") as log:
            give_to_owner(self.log.parent, log.fileno())
            begun_at = log.tell()
            child = programs.begin(self._command(port), self.account, log)
        postmaster = Postmaster(child.pid, self.data, child)
        try:
            while not postmaster.ready():
                if postmaster.wait(READY_POLL_SECONDS):
                    postmaster.close()
                    return tail(self.log, begun_at)
                self.go_on()
        except BaseException:
            postmaster.stop()
            raise
        return postmaster

    def _command(self, port: int) -> list[str | Path]:
        """The server's command line; options of the caller come last and win."""
        settings = {
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0777",
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": str(port),
        }
        command: list[str | Path] = [self.binaries.directory / "postgres", "-D", self.data]
        for name, value in (settings | self.options).items():
            command += ["-c", f"{name}={value}"]
        return command

    def _has_lz4(self) -> bool:
        """Whether the programs were built with lz4, as far as their own pg_config tells."""
        try:
            answer = subprocess.run(
                [self.binaries.directory / "pg_config", "--configure"], capture_output=True, text=True
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
    try:
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    except FileNotFoundError:
        pass


def tail(log: Path, begun_at: int) -> str:
    """The end of what was logged after `begun_at`."""
    with log.open("rb") as file:
        file.seek(max(begun_at, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


