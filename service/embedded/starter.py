"""Finding the server running, or having a supervisor start it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from service.embedded import locks, state
from service.embedded.errors import EmbeddedError
from service.embedded.launch import rotate, tail
from service.embedded.place import Place, Progress

POLL_SECONDS = 0.005


def ensure_running(place: Place, wish: state.Wish, progress: Progress) -> state.State:
    """The state of the ready server, started when nobody has; the caller holds `holders`.

    Raises EmbeddedError with the supervisor's reason.
    """
    found = await_ready(place, progress)
    if found is None:
        with locks.exclusive(place.start):
            found = await_ready(place, progress) or start(place, wish, progress)
    return found


def await_ready(place: Place, progress: Progress) -> state.State | None:
    """The state once the living supervisor's server is ready; None when there is no living supervisor."""
    told = 0
    while locks.is_held(place.supervisor):
        found = state.read(place.state)
        if found is not None:
            told = pass_on(found, told, progress)
            if found.phase == "ready" and accepts(found):
                return found
        time.sleep(POLL_SECONDS)
    return None


def start(place: Place, wish: state.Wish, progress: Progress) -> state.State:
    """Start a supervisor and wait for its server; the caller holds the lock `start`."""
    token = secrets.token_hex(8)
    pid = spawn(place, token, wish)
    told = 0
    for ended in until_it_ends(pid):
        found = state.read(place.state)
        if found is not None and found.token == token:
            told = pass_on(found, told, progress)
            if found.phase == "ready" and accepts(found):
                return found
            if found.phase == "failed" and found.error is not None:
                raise EmbeddedError(*found.error)
        if ended:
            break
    said = tail(place.supervisor_log, 0).strip().splitlines()[-8:]
    raise EmbeddedError("The embedded server's supervisor ended unexpectedly.", "It said:\n    " + "\n    ".join(said))


def until_it_ends(pid: int) -> Iterator[bool]:
    """False again and again while the process lives, at last True; reaps it."""
    ended = False
    while not ended:
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            ended = True
        yield ended
        time.sleep(POLL_SECONDS)


def spawn(place: Place, token: str, wish: state.Wish) -> int:
    """Start the supervisor, which makes itself independent of this process. Its pid."""
    rotate(place.supervisor_log)
    log = os.open(place.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    locks.give_to_owner(place.base, log)
    nothing = os.open(os.devnull, os.O_RDONLY)
    root = Path(__file__).resolve().parent.parent.parent
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "service.embedded.supervisor", str(place.base), token, json.dumps(asdict(wish))]
    duplicates = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    try:
        return os.posix_spawn(sys.executable, command, {**os.environ, "PYTHONPATH": path}, file_actions=duplicates)
    finally:
        os.close(log)
        os.close(nothing)


def pass_on(found: state.State, told: int, progress: Progress) -> int:
    """Hand the messages not told yet to `progress`; how many are told now."""
    if found.phase == "starting":
        for message in found.messages[told:]:
            progress(message)
    return len(found.messages)


def accepts(found: state.State) -> bool:
    """Whether something listens on the server's socket: false for the moment after a crash."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{found.socket_directory}/.s.PGSQL.{found.port}")
        except OSError:
            return False
    return True
