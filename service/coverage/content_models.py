"""Taxonomies and documents as the API takes and shows them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import Field

from service.api.routing import Answer, Model
from service.coverage.content import TaxonomyNode


class VersionPath(Model):
    """One version of the taxonomy."""

    version: str = Field(pattern=r"^[!-~]{1,100}$")


class NodeDraft(Model):
    """A node to add. Without a node_id it follows from version and path, without parents from the path."""

    label: str = Field(min_length=1, max_length=500)
    canonical_path: list[str] = Field(min_length=1, max_length=100)
    node_id: UUID | None = None
    parents: list[UUID] | None = None


class TaxonomyDraft(Model):
    """Nodes to add: all of them, or none. Those that exist already stay as they are."""

    nodes: list[NodeDraft] = Field(min_length=1, max_length=20_000)


class TaxonomyCounts(Answer):
    """What an import of nodes did."""

    version: str
    added: int
    unchanged: int
    total_nodes: int


class TreeNode(Answer):
    """A node under the first of its parents; `document_count` counts its own documents."""

    node_id: UUID
    label: str
    canonical_path: list[str]
    parents: list[UUID]
    document_count: int
    children: list["TreeNode"]


class Tree(Answer):
    """A version of the taxonomy."""

    version: str
    total_nodes: int
    roots: list[TreeNode]


class Classification(Model):
    """That a document is about a node, and how sure that is."""

    node_id: UUID
    confidence: float = Field(ge=0, le=1)


class DocumentDraft(Model):
    """A document; its text is cut into chunks. One that comes again replaces the one before."""

    title: str = Field(min_length=1, max_length=1000)
    text: str
    doc_id: UUID | None = None
    taxonomy: list[Classification] = Field(default=[], max_length=10_000)
    version: str = Field(default="1.0.0", min_length=1, max_length=100)


class DocumentDrafts(Model):
    """Documents to store: all of them, or none."""

    documents: list[DocumentDraft] = Field(min_length=1, max_length=5000)


class DocumentCounts(Answer):
    """What an import of documents did; `chunks` counts those of all documents that were sent."""

    documents: int
    created: int
    updated: int
    unchanged: int
    chunks: int
    doc_ids: list[UUID] = Field(description="In the order of the request.")


def tree_of(version: str, nodes: Sequence[TaxonomyNode]) -> Tree:
    """Nodes put under their first parents; the import bounds how deep that can be."""
    shown: dict[UUID, dict[str, Any]] = {
        node.node_id: {
            "node_id": node.node_id,
            "label": node.label,
            "canonical_path": node.canonical_path,
            "parents": node.parents,
            "document_count": node.documents,
            "children": [],
        }
        for node in nodes
    }
    for node in nodes:
        if node.parents:
            shown[node.parents[0]]["children"].append(shown[node.node_id])
    roots = [shown[node.node_id] for node in nodes if not node.parents]
    return Tree.model_validate({"version": version, "total_nodes": len(nodes), "roots": roots})
