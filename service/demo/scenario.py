"""Which parts of the tree the demo's agents cover."""

from collections.abc import Iterable
from dataclasses import dataclass

from service.demo.taxonomy import Path, node_id, path_of

# So few packages are installed on most machines that the service's default, 10, would leave all bars empty.
TARGET_DOCUMENTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """An agent before it exists: its name, what it is for, and the roots of its subtrees."""

    name: str
    scope: str
    roots: tuple[str, ...]

    @property
    def node_ids(self) -> list[str]:
        """Ids of the roots; the service adds all their descendants."""
        return [node_id(path_of(root)) for root in self.roots]

    def targets(self, paths: Iterable[Path]) -> dict[str, int]:
        """How many documents each node of the subtrees needs, given all paths of the tree."""
        roots = tuple(path_of(root) for root in self.roots)
        covered = [path for path in paths if any(path[: len(root)] == root for root in roots)]
        return {node_id(path): TARGET_DOCUMENTS for path in covered}


AGENTS = (
    Plan(
        "Testing",
        "Testing and quality of software",
        (
            "Topic :: Software Development :: Testing",
            "Topic :: Software Development :: Quality Assurance",
            "Framework :: Pytest",
            "Framework :: Hypothesis",
        ),
    ),
    Plan(
        "Web",
        "Internet protocols and frameworks for the web",
        ("Topic :: Internet", "Framework :: AsyncIO", "Framework :: aiohttp", "Framework :: Django"),
    ),
    Plan("Scientific", "Science and engineering", ("Topic :: Scientific/Engineering",)),
    Plan("Languages", "Programming languages and their versions", ("Programming Language",)),
)
