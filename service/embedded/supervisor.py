"""The detached process that owns the server: `python -m service.embedded.supervisor BASE TOKEN WISH`.

It lives in a session of its own and depends on no caller. It gets the server up, restarts it when it dies,
and stops it when nobody has held the lock `holders` for the linger time. SIGTERM stops the server at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from service.embedded import files, locks, sockets, state
from service.embedded.errors import EmbeddedError, unexpected
from service.embedded.keeper import Keeper
from service.embedded.place import Place
from service.embedded.postmaster import Postmaster

TICK_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
QUIET_SECONDS = 60.0
LARGEST_DESCRIPTOR = 4096

log = logging.getLogger("annals.embedded")


class Terminated(Exception):
    """SIGTERM arrived."""


class Supervisor:
    """Owns one server; `run` returns when it is stopped."""

    def __init__(self, place: Place, token: str, wish: state.Wish) -> None:
        self.place = place
        self.state = state.State(token, "starting", wish, supervisor=os.getpid())
        self.keeper = Keeper(place, self.say, self.check)
        self.holders = files.open_private(place.holders, os.O_RDWR)
        self.idle_since: float | None = None
        self.terminated = False
        self.postmaster: Postmaster | None = None
        self.ready_at = time.monotonic()
        self.backoff = 0.0

    def run(self) -> int:
        """Start, watch, stop. The exit status."""
        try:
            self.bring_up()
            while not self.unused():
                self.check()
                self.look_after()
        except Terminated:
            log.info("Told to stop")
        except (EmbeddedError, OSError) as error:
            failure = error if isinstance(error, EmbeddedError) else unexpected(error, self.place.base)
            log.error("%s\n%s", failure.message, failure.hint)
            self.stop("failed", (failure.message, failure.hint))
            return 1
        self.stop("stopped")
        return 0

    def bring_up(self) -> None:
        """Get the server up and tell everybody how to reach it."""
        self.tell(replace(self.state, phase="starting", messages=()))
        self.postmaster, found = self.keeper.bring_up(self.state)
        self.ready_at = time.monotonic()
        log.info("Server %d is ready", self.postmaster.pid)
        self.tell(replace(found, phase="ready", messages=self.state.messages))

    def tell(self, changed: state.State) -> None:
        """Change the state that everybody reads."""
        self.state = changed
        state.write(self.place.state, changed)

    def say(self, message: str) -> None:
        """A line of progress for whoever waits."""
        log.info("%s", message)
        self.tell(replace(self.state, messages=(*self.state.messages, message)))

    def check(self) -> None:
        """Break off what is going on after a SIGTERM."""
        if self.terminated:
            raise Terminated

    def look_after(self) -> None:
        """Wait a tick; get the server up again when it died or cannot be reached any more."""
        if self.postmaster is None:
            return
        if self.postmaster.wait(TICK_SECONDS):
            log.warning("Server %d died", self.postmaster.pid)
        elif (Path(self.state.socket_directory) / f".s.PGSQL.{self.state.port}").exists():
            return
        else:
            log.warning("The socket of server %d is gone, restarting it", self.postmaster.pid)
            self.postmaster.stop()
        self.postmaster.close()
        self.postmaster = None
        if time.monotonic() - self.ready_at > QUIET_SECONDS:
            self.backoff = 0.0
        # A server that dies again and again must not keep the machine busy with restarts.
        time.sleep(self.backoff)
        self.backoff = min(self.backoff * 2 + TICK_SECONDS, LONGEST_BACKOFF_SECONDS)
        self.bring_up()

    def unused(self) -> bool:
        """Whether nobody held the server for the linger time; from then on newcomers wait for the lock."""
        if not locks.try_lock(self.holders, fcntl.LOCK_EX):
            self.idle_since = None
            return False
        now = time.monotonic()
        self.idle_since = now if self.idle_since is None else self.idle_since
        if now - self.idle_since >= self.state.wish.linger_seconds:
            return True
        fcntl.flock(self.holders, fcntl.LOCK_UN)
        return False

    def stop(self, phase: str, error: tuple[str, str] | None = None) -> None:
        """Stop the server and say why, which a full disk may forbid. The locks go with the process."""
        with contextlib.suppress(OSError):
            self.tell(replace(self.state, phase="stopping"))
        if self.postmaster is not None:
            self.postmaster.stop()
            self.postmaster.close()
            sockets.tidy(self.state.socket_directory, self.place.base)
            log.info("Server stopped")
        with contextlib.suppress(OSError):
            self.tell(replace(self.state, phase=phase, error=error))


def detach() -> None:
    """Leave the caller's session, and leave being its child, so that nobody has to reap this process."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)


def main(arguments: list[str]) -> int:
    """Take the supervisor's lock, become a daemon, and run."""
    # A pipe inherited from the caller would stay open, and whoever reads it would wait for its end.
    os.closerange(3, LARGEST_DESCRIPTOR)
    base, token, wish = arguments
    place = Place(Path(base))
    # Before the fork: when the caller's child has ended, the lock tells whether there is a supervisor.
    locks.take(place.supervisor, fcntl.LOCK_EX)
    detach()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    supervisor = Supervisor(place, token, state.Wish(**json.loads(wish)))

    def terminate(*_: object) -> None:
        supervisor.terminated = True

    signal.signal(signal.SIGTERM, terminate)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
