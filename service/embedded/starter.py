"""Finding the server running, or having a supervisor start it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from service.embedded import files, locks, sockets, state
from service.embedded.errors import EmbeddedError
from service.embedded.launch import rotate, tail
from service.embedded.place import Place, Progress
from service.embedded.postmaster import is_ending

POLL_SECONDS = 0.005
SAID_LINES = 8


def ensure_running(place: Place, wish: state.Wish, progress: Progress) -> state.State:
    """The state of the ready server, started when nobody has; the caller holds `holders`.

    Raises EmbeddedError with the supervisor's reason.
    """
    found = await_ready(place, progress)
    if found is None:
        with locks.exclusive(place.start):
            found = await_ready(place, progress) or start(place, wish, progress)
    return found


def is_supervised(place: Place) -> bool:
    """Whether a supervisor lives. One that was just killed may hold its lock for a moment longer."""
    found = state.read(place.state)
    return locks.is_held(place.supervisor) and not (found is not None and is_ending(found.supervisor))


def await_ready(place: Place, progress: Progress) -> state.State | None:
    """The state once the living supervisor's server is ready; None when there is no living supervisor."""
    told = 0
    while locks.is_held(place.supervisor):
        found = state.read(place.state)
        if found is not None and found.phase == "starting":
            for message in found.messages[told:]:
                progress(message)
            told = len(found.messages)
        if (
            found is not None
            and found.phase == "ready"
            and not is_ending(found.supervisor)
            and sockets.accepts(found.socket_directory, found.port)
        ):
            return found
        time.sleep(POLL_SECONDS)
    return None


def start(place: Place, wish: state.Wish, progress: Progress) -> state.State:
    """Start a supervisor and wait for its server; the caller holds the lock `start`."""
    token = secrets.token_hex(8)
    # Written here, a full disk or a wrong permission is an error of this process, and not a silent one.
    state.write(place.state, state.State(token, "starting", wish))
    spawn(place, token, wish)
    found = await_ready(place, progress)
    if found is not None:
        return found
    last = state.read(place.state)
    if last is not None and last.token == token and last.error is not None:
        raise EmbeddedError(*last.error)
    said = "".join(f"\n    {line}" for line in tail(place.supervisor_log).strip().splitlines()[-SAID_LINES:])
    raise EmbeddedError(
        "The embedded server's supervisor was killed while it started.", f"Its log ends:{said}"
    )


def spawn(place: Place, token: str, wish: state.Wish) -> None:
    """Start a supervisor, and return when it holds its lock and is nobody's child, or has failed."""
    rotate(place.supervisor_log)
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = [str(place.base), token, json.dumps(asdict(wish))]
    # -P: a file in the caller's directory must not stand in for a module of the same name.
    command = [sys.executable, "-P", "-m", "service.embedded.supervisor", *arguments]
    log = files.open_private(place.supervisor_log, os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    streams = [(os.POSIX_SPAWN_DUP2, source, number) for number, source in enumerate((nothing, log, log))]
    try:
        pid = os.posix_spawn(
            sys.executable,
            command,
            os.environ | {"PYTHONPATH": path},
            file_actions=streams,
            setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGCHLD),
        )
    finally:
        os.close(log)
        os.close(nothing)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
