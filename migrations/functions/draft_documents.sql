-- The documents of an import, checked for shape and with what they leave out; writes nothing.
--
--   SELECT draft_documents('[{"title": "Gravity", "text": "What goes up must come down."}]');

CREATE FUNCTION draft_documents(documents jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _drafts jsonb;
    _bad    text;
BEGIN
    IF jsonb_typeof(draft_documents.documents) IS DISTINCT FROM 'array'
       OR EXISTS (SELECT FROM jsonb_array_elements(draft_documents.documents) g WHERE jsonb_typeof(g) <> 'object') THEN
        RAISE EXCEPTION 'documents must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT format('document %s %s', g.ordinality, p.problem) INTO _bad
    FROM jsonb_array_elements(draft_documents.documents) WITH ORDINALITY AS g (document, ordinality)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN g.document - ARRAY['doc_id', 'title', 'text', 'version', 'chunks', 'taxonomy'] <> '{}' THEN
            'has fields other than doc_id, title, text, version, chunks and taxonomy'
        WHEN jsonb_typeof(g.document -> 'title') IS DISTINCT FROM 'string' OR length(g.document ->> 'title') NOT BETWEEN 1 AND 1000 THEN
            'has a title that is not 1 to 1000 characters'
        WHEN jsonb_typeof(g.document -> 'text') IS DISTINCT FROM 'string' THEN 'has no text'
        WHEN jsonb_typeof(g.document -> 'chunks') <> 'array' OR jsonb_typeof(g.document -> 'taxonomy') <> 'array' THEN
            'has chunks or a taxonomy that is not a list'
        WHEN g.document @? '$.taxonomy[*] ? (!exists(@.node_id) || @.node_id.type() != "string" || !exists(@.confidence)
                             || @.confidence.type() != "number" || @.confidence < 0 || @.confidence > 1)' THEN
            'has a classification without a node_id or without a confidence from 0 to 1'
    END AS problem) p
    WHERE p.problem IS NOT NULL ORDER BY g.ordinality LIMIT 1;
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION '%', _bad USING ERRCODE = 'AN422', HINT = 'Nothing was stored.';
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'doc_id', coalesce(d.doc_id, gen_random_uuid()), 'title', d.title, 'text', d.text,
               'version', coalesce(d.version, '1.0.0'), 'chunks', coalesce(d.chunks, jsonb_build_array(d.text)),
               'taxonomy', coalesce(d.taxonomy, '[]'))), '[]') INTO _drafts
    FROM jsonb_to_recordset(draft_documents.documents) AS d (doc_id uuid, title text, text text, version text, chunks jsonb, taxonomy jsonb);
    SELECT d.doc_id::text INTO _bad FROM jsonb_to_recordset(_drafts) AS d (doc_id uuid) GROUP BY d.doc_id HAVING count(*) > 1 LIMIT 1;
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'document % is given twice', _bad USING ERRCODE = 'AN422', HINT = 'Nothing was stored.';
    END IF;
    RETURN _drafts;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'a document has a field of the wrong type: %', SQLERRM USING ERRCODE = 'AN422', HINT = 'doc_id and node_id are uuids.';
END $$;
