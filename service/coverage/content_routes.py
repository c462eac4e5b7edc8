"""Routes of what coverage counts: taxonomies and documents."""

from typing import Any

from service.api.routing import Request, Route
from service.coverage.content import ContentStore
from service.coverage.content_models import (
    DocumentCounts,
    DocumentDrafts,
    TaxonomyCounts,
    TaxonomyDraft,
    Tree,
    VersionPath,
    tree_of,
)

NODE = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
TAXONOMY: dict[str, Any] = {
    "nodes": [
        {"node_id": NODE, "label": "Science", "canonical_path": ["Science"], "parents": []},
        {"label": "Physics", "canonical_path": ["Science", "Physics"], "parents": [NODE]},
    ]
}
DOCUMENTS: dict[str, Any] = {
    "documents": [
        {
            "title": "Gravity",
            "text": "What goes up must come down.",
            "taxonomy": [{"node_id": NODE, "confidence": 0.9}],
            "version": "1.0.0",
        }
    ]
}


async def import_taxonomy(request: Request[TaxonomyDraft, None, VersionPath]) -> TaxonomyCounts:
    """Add nodes to a version."""
    nodes = request.body.model_dump(mode="json", exclude_none=True)["nodes"]
    content = ContentStore(request.services.db)
    counts = await content.import_taxonomy(request.params.version, nodes, request.caller.request)
    return TaxonomyCounts(**counts)


async def show_taxonomy(request: Request[None, None, VersionPath]) -> Tree:
    """A version as a tree."""
    confidence = request.services.settings.coverage.confidence_threshold
    nodes = await ContentStore(request.services.db).taxonomy(request.params.version, confidence)
    return tree_of(request.params.version, nodes)


async def import_documents(request: Request[DocumentDrafts, None, None]) -> DocumentCounts:
    """Store documents and cut them into chunks."""
    documents = request.body.model_dump(mode="json", exclude_none=True)["documents"]
    content, size = ContentStore(request.services.db), request.services.settings.coverage.chunk_chars
    return DocumentCounts.model_validate(
        await content.import_documents(documents, size, request.caller.request)
    )


TAGS = ("content",)
ROUTES = [
    Route(
        "POST",
        "/api/v1/taxonomies/{version}",
        import_taxonomy,
        summary="Add nodes to a version of the taxonomy",
        description="Idempotent by node_id. Nodes never change: what differs is published as a new version.",
        tags=TAGS,
        scope="write",
        params=VersionPath,
        body=TaxonomyDraft,
        response=TaxonomyCounts,
        status=201,
        example=TAXONOMY,
    ),
    Route(
        "GET",
        "/api/v1/taxonomies/{version}",
        show_taxonomy,
        summary="Show a version of the taxonomy as a tree with counts",
        tags=TAGS,
        params=VersionPath,
        response=Tree,
        errors=(404,),
    ),
    Route(
        "POST",
        "/api/v1/documents",
        import_documents,
        summary="Store documents",
        description="Idempotent by doc_id.",
        tags=TAGS,
        scope="write",
        body=DocumentDrafts,
        response=DocumentCounts,
        status=201,
        example=DOCUMENTS,
    ),
]
