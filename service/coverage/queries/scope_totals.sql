-- Distinct documents that count for any of the nodes, and their chunks.
SELECT count(*) AS documents, coalesce(sum(c.n), 0)::bigint AS chunks
FROM (SELECT DISTINCT x.doc_id FROM document_taxonomy x WHERE x.node_id = ANY ($1::uuid[]) AND x.confidence >= $2) d
CROSS JOIN LATERAL (SELECT count(*) AS n FROM chunks k WHERE k.doc_id = d.doc_id) c
