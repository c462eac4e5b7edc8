"""Snapshots: what was committed is compared with what is, and replaced by it: a review sees it move."""

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "snapshots"


def is_writing() -> bool:
    """Whether ANNALS_SNAPSHOTS=write was said: snapshots that are not written by themselves are, then."""
    return os.environ["SNAPSHOTS"] == "write"


def compare(name: str, text: str) -> None:
    """Fail when a snapshot moved; the new one is written, to be looked at and committed."""
    path = FOLDER / name
    before = path.read_text() if path.exists() else ""
    if text != before:
        path.write_text(text)
    assert text == before, f"tests/snapshots/{name} moved: look at its diff, and commit it when it is right"
