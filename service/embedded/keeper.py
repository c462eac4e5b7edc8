"""Getting the server up: take over one that runs, else start one, on a fresh cluster when there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from service.embedded import account, binaries, cluster, launch, nameless, reach, sockets
from service.embedded.errors import EmbeddedError
from service.embedded.place import Place, Progress
from service.embedded.postmaster import READY_POLL_SECONDS, Postmaster, read_pid_file, serves
from service.embedded.state import State

log = logging.getLogger(__name__)

SOCKET_PORT = 5432


@dataclass(frozen=True)
class Keeper:
    """`say` gets lines of progress; `go_on` is called while waiting and may raise to break it off."""

    place: Place
    say: Progress
    go_on: Callable[[], None]

    def bring_up(self, state: State) -> tuple[Postmaster, State]:
        """The ready server, and the state with how to reach it. Raises EmbeddedError."""
        return self.take_over(state) or self.start(state)

    def take_over(self, state: State) -> tuple[Postmaster, State] | None:
        """A running server whose supervisor was killed, once it is ready; one that is stopping is awaited."""
        found = read_pid_file(self.place.data)
        if found is None:
            return None
        if not serves(found.pid, self.place.data):
            if sockets.accepts(found.socket_directory, found.port):
                raise EmbeddedError(
                    f"A server that cannot be seen from here serves the data in {self.place.data}.",
                    "It may run in another container on the same volume: stop it there, or attach there.",
                )
            return None
        log.info("Found server %d running, taking it over", found.pid)
        orphan = Postmaster(found.pid, self.place.data)
        while not orphan.ready():
            self.go_on()
            if orphan.wait(READY_POLL_SECONDS):
                orphan.close()
                return None
        wish = replace(state.wish, tcp=bool(found.address))
        return orphan, self.described(replace(state, wish=wish), found.socket_directory, found.port)

    def start(self, state: State) -> tuple[Postmaster, State]:
        """Start the server, on a fresh cluster when there is none."""
        data, wish = self.place.data, state.wish
        fresh = not data.exists()
        runs_as = account.for_fresh_data(self.place.base) if fresh else account.for_data(data)
        installed = binaries.choose(data)
        usable = reach.reachable(installed, self.place.base, runs_as)
        cluster.sweep(self.place.base)
        if fresh:
            self.say(f"Making a database (PostgreSQL {installed.version}) in {data}")
            with nameless.for_setup(usable, self.place.base, runs_as) as tools:
                cluster.create(tools, data, runs_as, self.place.password, wish.options.get("fsync") != "off")
        elif wish.tcp and not self.place.password.exists():
            with nameless.for_setup(usable, self.place.base, runs_as) as tools:
                cluster.execute(tools, data, runs_as, [cluster.set_password(self.place.password)])
        self.say(f"Starting PostgreSQL {installed.version}")
        directory = sockets.directory(self.place.base, runs_as)
        how = launch.Launch(self.place, usable, runs_as, directory, wish, self.go_on)
        postmaster, port = how.start(self.preferred_port(wish.tcp))
        return postmaster, self.described(state, str(directory), port)

    def preferred_port(self, tcp: bool) -> int:
        """Over TCP the port of last time, so that a restart does not move it. It names the socket, too."""
        if not tcp:
            return SOCKET_PORT
        last = read_pid_file(self.place.data)
        return last.port if last and last.address else launch.free_port()

    def described(self, state: State, socket_directory: str, port: int) -> State:
        """The state with how to reach the server."""
        installed = binaries.choose(self.place.data)
        return replace(
            state,
            socket_directory=socket_directory,
            port=port,
            bin_dir=str(Path(installed.directory)),
            major=installed.major,
        )
