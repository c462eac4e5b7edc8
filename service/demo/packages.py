"""What the task with a mistake in it is given: two packages it can read, and one that it trips over."""

from collections.abc import Iterable
from importlib.metadata import distributions
from typing import Any

TASK_TYPE = "supported_pythons"
# Below it stand the versions that a package supports, and other things.
ROOT = "Programming Language :: Python :: "
# Annals needs them, so they are installed wherever it is; others stand in when their classifiers change.
FIRST = ("aiohttp", "rich", "asyncpg", "pydantic")
READABLE = 2


def installed() -> list[dict[str, Any]]:
    """The installed packages as the task's parameters: name and classifiers."""
    found: dict[str, list[str]] = {}
    for distribution in distributions():
        metadata = distribution.metadata
        found.setdefault(metadata["Name"] or "", list(metadata.get_all("Classifier") or []))
    return [{"name": name, "classifiers": classifiers} for name, classifiers in found.items()]


def chosen(packages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few that are good to read, then one that is not; fewer where there are none."""
    named = [package for package in packages if labels_of(package)]
    named.sort(key=lambda package: (_rank(package["name"]), package["name"].lower()))
    readable = [package for package in named if is_readable(package)]
    others = [package for package in named if not is_readable(package)]
    return readable[:READABLE] + others[:1]


def labels_of(package: dict[str, Any]) -> list[str]:
    """What stands last in the classifiers of Python versions, and in those below the same root."""
    return [line.split(" :: ")[-1] for line in package["classifiers"] if line.startswith(ROOT)]


def is_readable(package: dict[str, Any]) -> bool:
    """Whether all of them are versions."""
    return all(label.replace(".", "").isdecimal() for label in labels_of(package))


def _rank(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)
