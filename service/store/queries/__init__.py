"""Reads, one statement a file; the file's name is the query's."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Queries:
    """The statements of one package: `queries["claim"]` is the text of queries/claim.sql."""

    texts: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.texts[name]


@cache
def load(package: str) -> Queries:
    """All statements below `<package>/queries`; `package` is a dotted name such as service.store."""
    found = (entry for entry in files(package).joinpath("queries").iterdir() if entry.name.endswith(".sql"))
    return Queries({entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8") for entry in found})
