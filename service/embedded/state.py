"""What the supervisor tells everybody else: one small JSON file, replaced as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from service.embedded.locks import give_to_owner


@dataclass(frozen=True)
class Wish:
    """How a supervisor is asked to run the server."""

    tcp: bool = False
    linger_seconds: float = 0.5
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """`phase` is starting, ready, stopping, stopped or failed; `token` tells one supervisor's words from another's.

    `messages` grow while starting; `error` is (message, hint) of a failure.
    """

    token: str
    phase: str
    wish: Wish = Wish()
    messages: tuple[str, ...] = ()
    error: tuple[str, str | None] | None = None
    socket_directory: str = ""
    port: int = 5432
    bin_dir: str = ""
    major: int = 0

    def with_(self, **changes: Any) -> State:
        """A copy with some fields changed."""
        return replace(self, **changes)


def write(path: Path, state: State) -> None:
    """Replace the file; a reader sees the old or the new one, never a part."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(state), file)
        give_to_owner(path.parent, file.fileno())
    temporary.replace(path)


def read(path: Path) -> State | None:
    """The last state written; None when there is none that makes sense (also one of another release)."""
    try:
        found = json.loads(path.read_text())
        found["wish"] = Wish(**found["wish"])
        found["messages"] = tuple(found["messages"])
        found["error"] = tuple(found["error"]) if found["error"] else None
        return State(**found)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
