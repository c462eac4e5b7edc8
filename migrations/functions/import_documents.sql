-- Stores documents with their chunks and classification: all or none, idempotent by doc_id.
--
-- documents: [{doc_id?, title, text, version?, chunks?, taxonomy: [{node_id, confidence}]}]. The service cuts
-- the text into chunks; without chunks the text is one. A document that comes again replaces the one before;
-- chunks are only written again when its text or title changed.
--
--   SELECT import_documents('[{"title": "Gravity", "text": "What goes up must come down.", "taxonomy": []}]');

CREATE FUNCTION import_documents(documents jsonb, request request_key DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _answer  jsonb := replay_request(import_documents.request);
    _given   jsonb;
    _changed uuid[];
    _new     integer;
    _bad     text;
BEGIN
    IF _answer IS NOT NULL THEN
        RETURN _answer;
    END IF;
    _given := draft_documents(import_documents.documents);
    SELECT string_agg(DISTINCT x.node_id::text, ', ') INTO _bad
    FROM jsonb_to_recordset(_given) AS d (taxonomy jsonb), jsonb_to_recordset(d.taxonomy) AS x (node_id uuid)
    WHERE NOT EXISTS (SELECT FROM taxonomy_nodes n WHERE n.node_id = x.node_id);
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'Unknown taxonomy node IDs: %', _bad USING ERRCODE = 'AN422', HINT = 'Import the taxonomy first; nothing was stored.';
    END IF;

    SELECT coalesce(array_agg(d.doc_id), '{}'), count(*) FILTER (WHERE o.doc_id IS NULL) INTO _changed, _new
    FROM jsonb_to_recordset(_given) AS d (doc_id uuid, title text, text text)
    LEFT JOIN documents o ON o.doc_id = d.doc_id
    WHERE (o.title, o.text) IS DISTINCT FROM (d.title, d.text);
    INSERT INTO documents AS o (doc_id, title, text, version)
    SELECT d.doc_id, d.title, d.text, d.version
    FROM jsonb_to_recordset(_given) AS d (doc_id uuid, title text, text text, version text) ORDER BY d.doc_id
    ON CONFLICT ON CONSTRAINT documents_pkey DO UPDATE
        SET title = excluded.title, text = excluded.text, version = excluded.version, updated_at = clock_timestamp()
        WHERE (o.title, o.text, o.version) IS DISTINCT FROM (excluded.title, excluded.text, excluded.version);
    DELETE FROM chunks c WHERE c.doc_id = ANY (_changed);
    INSERT INTO chunks (doc_id, ordinal, title, text)
    SELECT d.doc_id, c.ordinality - 1, d.title, c.text
    FROM jsonb_to_recordset(_given) AS d (doc_id uuid, title text, chunks jsonb)
    CROSS JOIN LATERAL jsonb_array_elements_text(d.chunks) WITH ORDINALITY AS c (text, ordinality)
    WHERE d.doc_id = ANY (_changed);
    PERFORM classify_documents(_given);

    _answer := jsonb_build_object(
        'documents', jsonb_array_length(_given), 'created', _new, 'updated', cardinality(_changed) - _new,
        'unchanged', jsonb_array_length(_given) - cardinality(_changed),
        'chunks', (SELECT count(*) FROM chunks c WHERE c.doc_id IN (SELECT d.doc_id FROM jsonb_to_recordset(_given) AS d (doc_id uuid))),
        'doc_ids', jsonb_path_query_array(_given, '$[*].doc_id'));
    IF (import_documents.request).key IS NOT NULL THEN
        PERFORM keep_request(import_documents.request, _answer);
    END IF;
    RETURN _answer;
END $$;
