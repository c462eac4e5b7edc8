"""Taxonomies and documents in the database: content that coverage counts, outside of the log."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from service.coverage.chunking import cut
from service.errors import NotFound
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
RequestKey = tuple[str, str, str, str]


class TaxonomyNode(NamedTuple):
    """A node of one version; in the tree it stands under the first of its parents."""

    node_id: UUID
    label: str
    canonical_path: list[str]
    parents: list[UUID]
    documents: int


class Passage(NamedTuple):
    """A chunk that a query found; `score` is 0 to 1."""

    doc_id: UUID
    title: str
    ordinal: int
    text: str
    score: float


class ContentStore:
    """Over a pool or one session. Imports raise Invalid and Conflict; every method DatabaseUnavailable."""

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def import_taxonomy(
        self, version: str, nodes: Sequence[dict[str, Any]], request: RequestKey | None = None
    ) -> dict[str, Any]:
        """Add nodes, all or none; gives counts. Nodes: node_id?, label, canonical_path, parents?."""
        counts: dict[str, Any] = await self._db.fetchval(SQL.import_taxonomy, version, list(nodes), request)
        return counts

    async def import_documents(
        self, documents: Sequence[dict[str, Any]], chunk_chars: int, request: RequestKey | None = None
    ) -> dict[str, Any]:
        """Store documents, all or none, cut into chunks; gives counts.

        Documents: doc_id?, title, text, version?, taxonomy: [{node_id, confidence}].
        """
        given = [document | {"chunks": cut(document["text"], chunk_chars)} for document in documents]
        counts: dict[str, Any] = await self._db.fetchval(SQL.import_documents, given, request)
        return counts

    async def taxonomy(self, version: str, confidence: float) -> list[TaxonomyNode]:
        """All nodes of a version, parents before children by path. Raises NotFound."""
        rows = await self._db.fetch(SQL.taxonomy, version, confidence)
        if not rows:
            raise NotFound(f"Taxonomy not found: {version}")
        return [TaxonomyNode(*row) for row in rows]

    async def search(
        self, node_ids: Sequence[UUID], version: str, confidence: float, query: str, limit: int
    ) -> list[Passage]:
        """The best passages for a query among the documents of a scope."""
        rows = await self._db.fetch(SQL.search_chunks, node_ids, version, confidence, query, limit)
        return [Passage(*row) for row in rows]
