"""The trove classifiers as a taxonomy: "Framework :: Django :: 5.0" is a path of three nodes."""

import uuid
from collections.abc import Iterable
from importlib.metadata import version as version_of
from typing import Any

SEPARATOR = " :: "
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/classifiers/")

Path = tuple[str, ...]


def classifiers() -> list[str]:
    """Every classifier there is, sorted."""
    # 900 strings that most commands never need.
    from trove_classifiers import sorted_classifiers

    return list(sorted_classifiers)


def taxonomy_version() -> str:
    """Name of the taxonomy: it changes when the classifiers do."""
    return f"trove-{version_of('trove-classifiers')}"


def path_of(classifier: str) -> Path:
    """The labels from the root to the classifier's own node."""
    return tuple(classifier.split(SEPARATOR))


def ancestry(path: Path) -> list[Path]:
    """The path itself, then its ancestors up to the root."""
    return [path[:length] for length in range(len(path), 0, -1)]


def node_id(path: Path) -> str:
    """The same node has the same id in every run and every version."""
    return str(uuid.uuid5(NAMESPACE, SEPARATOR.join(path)))


def nodes(names: Iterable[str]) -> list[dict[str, Any]]:
    """The nodes of `POST /taxonomies/{version}`: parents before children, and also those nobody named.

    "Framework" is no classifier, but the root of 186 of them.
    """
    paths = {ancestor for name in names for ancestor in ancestry(path_of(name))}
    return [_node(path) for path in sorted(paths, key=lambda path: (len(path), path))]


def _node(path: Path) -> dict[str, Any]:
    parents = [node_id(path[:-1])] if len(path) > 1 else []
    return {"node_id": node_id(path), "label": path[-1], "canonical_path": list(path), "parents": parents}
