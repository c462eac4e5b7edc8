-- Replaces the classification of documents by the one they now come with; writes only what differs.
--
-- A node that is named twice counts with the higher confidence.
--
--   SELECT classify_documents('[{"doc_id": "5f3c0c5e-0000-4000-8000-000000000000", "taxonomy": []}]');

CREATE FUNCTION classify_documents(documents jsonb) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    DELETE FROM document_taxonomy o
    USING jsonb_to_recordset(classify_documents.documents) AS d (doc_id uuid, taxonomy jsonb)
    WHERE o.doc_id = d.doc_id
      AND o.node_id NOT IN (SELECT x.node_id FROM jsonb_to_recordset(d.taxonomy) AS x (node_id uuid));
    INSERT INTO document_taxonomy AS o (doc_id, node_id, confidence)
    SELECT d.doc_id, x.node_id, max(x.confidence)
    FROM jsonb_to_recordset(classify_documents.documents) AS d (doc_id uuid, taxonomy jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(d.taxonomy) AS x (node_id uuid, confidence float8)
    GROUP BY d.doc_id, x.node_id
    ORDER BY d.doc_id, x.node_id
    ON CONFLICT ON CONSTRAINT document_taxonomy_pkey DO UPDATE SET confidence = excluded.confidence
        WHERE o.confidence <> excluded.confidence
$$;
