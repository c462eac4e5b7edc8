"""Attaching to the server of a home: a context manager for any number of processes and threads."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from service.embedded import locks, place, starter, state
from service.embedded.errors import EmbeddedError, unexpected
from service.embedded.server import Server

WATCH_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 10.0
PATIENCE_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass
class Holding:
    """This process's share in one server: the open lock file, its users, and the thread that watches."""

    server: Server
    descriptor: int
    users: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Have the server supervised again when its supervisor was killed."""
        wait = WATCH_SECONDS
        while not self.released.wait(wait):
            wait = WATCH_SECONDS if self.supervise() else min(wait * 2, LONGEST_BACKOFF_SECONDS)

    def supervise(self) -> bool:
        """Start a supervisor when there is none; false when that failed."""
        try:
            if not starter.is_supervised(self.server.place):
                starter.ensure_running(self.server.place, self.server.state.wish, log.info)
        except EmbeddedError as error:
            log.error("The embedded server cannot be started again: %s %s", error.message, error.hint)
            return False
        except OSError as error:
            log.error("The embedded server cannot be started again: %s", error)
            return False
        return True

    def release(self) -> None:
        """Give the share back; the supervisor stops a server that nobody holds.

        One that was killed a moment ago is replaced first, or the server would stay for ever.
        """
        self.released.set()
        self.supervise()
        os.close(self.descriptor)


_lock = threading.Lock()
_holdings: dict[Path, Holding] = {}


def _forget() -> None:
    """In a forked child: the parent's shares are not the child's, which attaches by itself."""
    global _lock, _holdings
    _lock, _holdings = threading.Lock(), {}


os.register_at_fork(after_in_child=_forget)


@contextmanager
def attach(
    home: Path,
    *,
    tcp: bool = False,
    progress: place.Progress | None = None,
    options: Mapping[str, str] | None = None,
    linger_seconds: float = 0.5,
) -> Iterator[Server]:
    """The server of `home`, made and started when needed; it runs at least until the block ends.

    `progress` gets a line for each slow step. `tcp`, `options` (settings of PostgreSQL, for instance
    `{"fsync": "off"}` in tests) and `linger_seconds` (how long an unused server stays) count for whoever
    starts the server. Blocks until the server accepts connections. Raises EmbeddedError.
    """
    wish = state.Wish(tcp, linger_seconds, dict(options or {}))
    holding = _enter(Path(home).absolute(), wish, progress or log.info)
    try:
        if tcp and not holding.server.state.wish.tcp:
            raise EmbeddedError(
                "The embedded server is already running without TCP.",
                "End the processes that use it, then attach with TCP first.",
            )
        yield holding.server
    finally:
        _leave(holding)


def _enter(home: Path, wish: state.Wish, progress: place.Progress) -> Holding:
    """This process's holding for the home, with one user more."""
    with _lock:
        where = place.find(home, progress)
        holding = _holdings.get(where.base)
        if holding is None:
            try:
                holding = _holdings[where.base] = _hold(where, wish, progress)
            except OSError as error:
                raise unexpected(error, where.base) from error
        holding.users += 1
        return holding


def _hold(where: place.Place, wish: state.Wish, progress: place.Progress) -> Holding:
    """Take the shared lock and have the server running."""
    told = False

    def waiting(seconds: float) -> None:
        nonlocal told
        if seconds > PATIENCE_SECONDS and not told:
            told = True
            progress("Waiting for the server to finish stopping")

    with ExitStack() as undo:
        descriptor = locks.take(where.holders, fcntl.LOCK_SH, waiting)
        undo.callback(os.close, descriptor)
        holding = Holding(Server(where, starter.ensure_running(where, wish, progress)), descriptor)
        undo.pop_all()
    threading.Thread(target=holding.watch, name="annals-embedded-watch", daemon=True).start()
    return holding


def _leave(holding: Holding) -> None:
    """One user less; the last one releases."""
    with _lock:
        holding.users -= 1
        if holding.users == 0:
            _holdings.pop(holding.server.place.base, None)
            holding.release()
