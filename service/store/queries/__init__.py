"""Reads, one statement a file; the file's name is the query's."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Queries:
    """The statements of one folder: `queries.claim`, or `queries["claim"]`, is the text of claim.sql."""

    source: str
    texts: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    def __getattr__(self, name: str) -> str:
        try:
            return self.texts[name]
        except KeyError:
            raise AttributeError(f"There is no {name}.sql in {self.source}") from None


@cache
def load(package: str, folder: str = "queries") -> Queries:
    """The statements in `folder` of a package, such as service.store."""
    found = [entry for entry in files(package).joinpath(folder).iterdir() if entry.name.endswith(".sql")]
    texts = {entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8") for entry in found}
    return Queries(f"{package}/{folder}", texts)
