"""The installed distributions as documents: long description as text, the authors' classifiers as topics."""

import re
import uuid
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import Distribution, PackageMetadata, distributions
from typing import Any

from service.demo.taxonomy import ancestry, node_id, path_of

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/project/")
# A document about Django 5.0 is, a little less, one about Django, and still one about frameworks.
FADING = 0.9
# Keeps a request well below the service's limit of 1 MiB.
BATCH_CHARS = 400_000


def installed() -> list[dict[str, Any]]:
    """Documents for the distributions on this interpreter's path, by name; none without text."""
    found: dict[str, dict[str, Any]] = {}
    for distribution in distributions():
        document = document_of(distribution)
        if document["text"] and document["title"]:
            # The first on the path is the one that an import would find.
            found.setdefault(document["doc_id"], document)
    return sorted(found.values(), key=lambda document: str(document["title"]).lower())


def document_of(distribution: Distribution) -> dict[str, Any]:
    """One document as `POST /documents` takes it."""
    metadata = distribution.metadata
    name = metadata["Name"] or ""
    return {
        "doc_id": str(uuid.uuid5(NAMESPACE, _normalized(name))),
        "title": name,
        "text": text_of(metadata),
        "taxonomy": classification(metadata.get_all("Classifier") or []),
        "version": distribution.version,
    }


def text_of(metadata: PackageMetadata) -> str:
    """Summary and long description; importlib.metadata gives the latter as a field wherever it stands."""
    parts = [_field(metadata, "Summary"), _field(metadata, "Description")]
    return cleaned("\n\n".join(part.strip() for part in parts if part.strip()))


def cleaned(text: str) -> str:
    """Text that can be sent and stored: PostgreSQL's text has no NUL, and UTF-8 no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def classification(classifiers: Iterable[str]) -> list[dict[str, Any]]:
    """Nodes, and how sure it is that the text is about them: 1 for a classifier, fading towards the root."""
    confidence: dict[str, float] = {}
    for classifier in classifiers:
        for distance, path in enumerate(ancestry(path_of(classifier))):
            node = node_id(path)
            confidence[node] = max(confidence.get(node, 0.0), round(FADING**distance, 3))
    return [{"node_id": node, "confidence": value} for node, value in sorted(confidence.items())]


def known_only(documents: Iterable[dict[str, Any]], known: Collection[str]) -> list[dict[str, Any]]:
    """The documents without the nodes that the taxonomy does not have: private or misspelt classifiers."""
    return [
        document | {"taxonomy": [topic for topic in document["taxonomy"] if topic["node_id"] in known]}
        for document in documents
    ]


def batches(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The documents in groups of a bounded amount of text; a longer one is a group of its own."""
    batch: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        length = len(document["text"])
        if batch and size + length > BATCH_CHARS:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _field(metadata: PackageMetadata, name: str) -> str:
    # PackageMetadata promises no get(), and a missing field is None in one Python and a KeyError in another.
    value = metadata[name] if name in metadata else ""  # noqa: SIM401
    return value if value != "UNKNOWN" else ""


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
