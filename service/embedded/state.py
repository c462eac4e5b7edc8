"""What the supervisor tells everybody else: one small JSON file, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from service.embedded import files


@dataclass(frozen=True)
class Wish:
    """How a supervisor is asked to run the server."""

    tcp: bool = False
    linger_seconds: float = 0.5
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """How the server is, and how to reach it.

    `phase` is starting, ready, stopping, stopped or failed; `token` names the supervisor that speaks, and
    `supervisor` is its process, 0 until it does.
    `messages` grow while starting; `error` is (message, hint) of a failure.
    """

    token: str
    phase: str
    wish: Wish = field(default_factory=Wish)
    messages: tuple[str, ...] = ()
    error: tuple[str, str] | None = None
    socket_directory: str = ""
    port: int = 5432
    bin_dir: str = ""
    major: int = 0
    supervisor: int = 0


def write(path: Path, state: State) -> None:
    """Replace the file."""
    files.replace(path, json.dumps(asdict(state)))


def read(path: Path) -> State | None:
    """The last state written; None when there is none. Fields of a newer release are left out."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    state = known(State, found)
    state["wish"] = Wish(**known(Wish, found.get("wish", {})))
    state["messages"] = tuple(found.get("messages", ()))
    state["error"] = tuple(found["error"]) if found.get("error") else None
    return State(**{"token": "", "phase": ""} | state)


def known(kind: type[State] | type[Wish], found: dict[str, Any]) -> dict[str, Any]:
    """The entries that are fields of the class."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in found.items() if name in names}
