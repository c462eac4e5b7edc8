"""The detached process that owns the server: `python -m service.embedded.supervisor BASE TOKEN WISH`.

It lives in a session of its own and depends on no caller. It makes the cluster when there is none, starts
the server (or takes over one whose supervisor was killed), restarts it when it dies, and stops it when
nobody has held the lock `holders` for the linger time. SIGTERM stops the server at once.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from service.embedded import account, binaries, cluster, launch, locks, reach, state
from service.embedded.errors import EmbeddedError
from service.embedded.place import Place
from service.embedded.postmaster import READY_POLL_SECONDS, Postmaster, read_pid_file, serves

TICK_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
QUIET_SECONDS = 60.0

log = logging.getLogger("annals.embedded")


class Terminated(Exception):
    """SIGTERM arrived."""


class Supervisor:
    """Owns one server; `run` returns when it is stopped."""

    def __init__(self, place: Place, token: str, wish: state.Wish) -> None:
        self.place = place
        self.state = state.State(token, "starting", wish)
        self.holders = locks.open_file(place.holders)
        self.idle_since: float | None = None
        self.terminated = False
        self.postmaster: Postmaster | None = None

    def run(self) -> int:
        """Start, watch, stop. The exit status."""
        try:
            self.tell(phase="starting")
            self.postmaster = self.take_over() or self.start()
            self.tell(phase="ready")
            log.info("Server %d is ready", self.postmaster.pid)
            self.watch()
        except Terminated:
            log.info("Told to stop")
        except (EmbeddedError, OSError) as error:
            failure = error if isinstance(error, EmbeddedError) else unexpected(error, self.place.base)
            log.error("%s", failure)
            self.tell_last(phase="failed", error=(failure.message, failure.hint))
            return 1
        self.stop()
        return 0

    def tell(self, **changes: object) -> None:
        """Change the state everybody reads."""
        self.state = self.state.with_(**changes)
        state.write(self.place.state, self.state)

    def tell_last(self, **changes: object) -> None:
        """The same at the end, where a full disk must not hide the error that it caused."""
        try:
            self.tell(**changes)
        except OSError as error:
            print(self.state.error, error, file=sys.stderr)

    def say(self, message: str) -> None:
        """A line of progress for whoever waits."""
        log.info("%s", message)
        self.tell(messages=(*self.state.messages, message))

    def check(self) -> None:
        """Break off what is going on after a SIGTERM."""
        if self.terminated:
            raise Terminated

    def take_over(self) -> Postmaster | None:
        """The running server whose supervisor was killed, once it is ready; one that is stopping is awaited."""
        found = read_pid_file(self.place.data)
        if found is None or not serves(found.pid, self.place.data):
            return None
        log.info("Found server %d running, taking it over", found.pid)
        self.describe(found.socket_directory, found.port, bool(found.address), self.find_binaries())
        orphan = Postmaster(found.pid, self.place.data)
        while not orphan.ready():
            self.check()
            if orphan.wait(READY_POLL_SECONDS):
                orphan.close()
                return None
        return orphan

    def find_binaries(self) -> binaries.Binaries:
        """The programs for the data, as installed."""
        return binaries.choose(self.place.data)

    def describe(self, socket_directory: str, port: int, tcp: bool, programs: binaries.Binaries) -> None:
        """Tell how the server is reached."""
        wish = state.Wish(tcp, self.state.wish.linger_seconds, self.state.wish.options)
        self.tell(
            wish=wish,
            socket_directory=socket_directory,
            port=port,
            bin_dir=str(programs.directory),
            major=programs.major,
        )

    def start(self) -> Postmaster:
        """Make the cluster when there is none, and start the server on it."""
        data, wish = self.place.data, self.state.wish
        runs_as = account.choose(data)
        installed = self.find_binaries()
        usable = reach.reachable(installed, self.place.base, runs_as)
        if not data.exists():
            self.say(f"Making a database (PostgreSQL {installed.version}) in {data}")
            durable = wish.options.get("fsync") != "off"
            cluster.create(usable, data, runs_as, self.place.password, durable)
        elif wish.tcp and not self.place.password.exists():
            statement = cluster.password_statement(self.place.password)
            cluster.execute(usable, data, runs_as, [statement])
        self.say(f"Starting PostgreSQL {installed.version}")
        sockets = self.place.socket_directory(runs_as)
        how = launch.Launch(
            usable, data, runs_as, self.place.postgres_log, sockets, wish.tcp, wish.options, self.check
        )
        postmaster, port = how.start(self.preferred_port())
        self.describe(str(sockets), port, wish.tcp, installed)
        return postmaster

    def preferred_port(self) -> int:
        """The port of last time over TCP, so that a restart does not move it; it names the socket, too."""
        if not self.state.wish.tcp:
            return 5432
        last = read_pid_file(self.place.data)
        return last.port if last and last.address else launch.free_port()

    def watch(self) -> None:
        """Keep the server running until nobody holds it."""
        backoff, ready_at = TICK_SECONDS, time.monotonic()
        while not self.unused():
            self.check()
            if self.postmaster is None or not self.postmaster.wait(TICK_SECONDS):
                continue
            log.warning("Server %d died, starting it again", self.postmaster.pid)
            self.postmaster.close()
            if time.monotonic() - ready_at > QUIET_SECONDS:
                backoff = TICK_SECONDS
            self.tell(phase="starting")
            self.postmaster = self.start()
            self.tell(phase="ready")
            log.info("Server %d is ready", self.postmaster.pid)
            ready_at = time.monotonic()
            time.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    def unused(self) -> bool:
        """Whether nobody held the server for the linger time; if so, newcomers wait on the lock from here on."""
        if not locks.try_lock(self.holders, fcntl.LOCK_EX):
            self.idle_since = None
            return False
        now = time.monotonic()
        self.idle_since = now if self.idle_since is None else self.idle_since
        if now - self.idle_since >= self.state.wish.linger_seconds:
            return True
        fcntl.flock(self.holders, fcntl.LOCK_UN)
        return False

    def stop(self) -> None:
        """Stop the server; the locks go with the process."""
        self.tell_last(phase="stopping")
        if self.postmaster is not None:
            self.postmaster.stop()
            self.postmaster.close()
        self.tell_last(phase="stopped")
        log.info("Server stopped")


def unexpected(error: OSError, base: Path) -> EmbeddedError:
    """An operating system error as one that names the place."""
    return EmbeddedError(
        f"The embedded server cannot work in {base}: {error}.",
        "Free some space there or put its permissions right, or choose another --home; then start again.",
    )


def main(arguments: list[str]) -> int:
    """Become a daemon on the directory given, and run."""
    base, token, wish = arguments
    if os.getpid() != os.getsid(0):
        os.setsid()
    os.chdir("/")
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    place = Place(Path(base))
    locks.take(place.supervisor, fcntl.LOCK_EX)
    supervisor = Supervisor(place, token, state.Wish(**json.loads(wish)))

    def terminate(*_: object) -> None:
        supervisor.terminated = True

    signal.signal(signal.SIGTERM, terminate)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
