-- Adds nodes to a version of the taxonomy: all or none, idempotent by node_id.
--
-- nodes: [{node_id?, label, canonical_path, parents?}]. Without a node_id the id follows from version and
-- path; without parents the node one label up the path is the parent, if there is one. Nodes never change:
-- one that exists with other content is refused (AN409), so that a measured coverage stays explainable.
-- As existing nodes gain no parents, a cycle can only lie within the nodes that are added.
--
--   SELECT import_taxonomy('1.0.0', '[{"label": "Science", "canonical_path": ["Science"]},
--                                     {"label": "Physics", "canonical_path": ["Science", "Physics"]}]');

CREATE FUNCTION import_taxonomy(taxonomy_version text, nodes jsonb, request request_key DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _answer jsonb := replay_request(import_taxonomy.request);
    _nodes  taxonomy_nodes[];
    _edges  taxonomy_edges[];
    _bad    text;
    _added  integer;
BEGIN
    IF _answer IS NOT NULL THEN
        RETURN _answer;
    ELSIF import_taxonomy.taxonomy_version IS NULL OR import_taxonomy.taxonomy_version !~ '^[!-~]{1,100}$' THEN
        RAISE EXCEPTION 'a taxonomy version is 1 to 100 printable characters without blanks' USING ERRCODE = 'AN422';
    END IF;
    -- Importers of one version take turns: each sees the nodes of the one before.
    INSERT INTO taxonomies (taxonomy_version) VALUES (import_taxonomy.taxonomy_version) ON CONFLICT DO NOTHING;
    PERFORM FROM taxonomies t WHERE t.taxonomy_version = import_taxonomy.taxonomy_version FOR UPDATE;
    SELECT d.new_nodes, d.new_edges INTO _nodes, _edges FROM draft_taxonomy(import_taxonomy.taxonomy_version, import_taxonomy.nodes) d;

    SELECT string_agg(DISTINCT e.parent_id::text, ', ') INTO _bad FROM unnest(_edges) e
    WHERE NOT EXISTS (SELECT FROM unnest(_nodes) n WHERE n.node_id = e.parent_id)
      AND NOT EXISTS (SELECT FROM taxonomy_nodes n WHERE n.taxonomy_version = e.taxonomy_version AND n.node_id = e.parent_id);
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'Unknown parents: %', _bad USING ERRCODE = 'AN422', HINT = 'Send parents before or together with their children.';
    END IF;

    SELECT string_agg(n.node_id::text, ', ') INTO _bad
    FROM unnest(_nodes) n
    JOIN taxonomy_nodes o ON o.taxonomy_version = n.taxonomy_version AND o.node_id = n.node_id
    LEFT JOIN (SELECT e.child_id, array_agg(e.parent_id ORDER BY e.parent_id) AS parents
               FROM unnest(_edges) e GROUP BY e.child_id) given ON given.child_id = n.node_id
    LEFT JOIN (SELECT e.child_id, array_agg(e.parent_id ORDER BY e.parent_id) AS parents
               FROM taxonomy_edges e WHERE e.taxonomy_version = import_taxonomy.taxonomy_version
               GROUP BY e.child_id) kept ON kept.child_id = n.node_id
    WHERE n IS DISTINCT FROM o OR given.parents IS DISTINCT FROM kept.parents;
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'These nodes exist with another label, path or parents: %', _bad
            USING ERRCODE = 'AN409', HINT = 'Nodes never change; publish what differs as a new version.';
    END IF;
    _bad := taxonomy_cycle(_nodes, _edges);
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'The parents form a cycle: %', _bad USING ERRCODE = 'AN422', HINT = 'Nothing was imported; remove one of the links.';
    END IF;

    INSERT INTO taxonomy_nodes SELECT n.* FROM unnest(_nodes) n ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS _added = ROW_COUNT;
    INSERT INTO taxonomy_edges SELECT e.* FROM unnest(_edges) e ON CONFLICT DO NOTHING;
    IF taxonomy_depth(import_taxonomy.taxonomy_version, ARRAY(SELECT n.node_id FROM unnest(_nodes) n)) > max_taxonomy_depth() THEN
        RAISE EXCEPTION 'the nodes lie deeper than % levels', max_taxonomy_depth() USING ERRCODE = 'AN422', HINT = 'Nothing was imported.';
    END IF;
    _answer := jsonb_build_object(
        'version', import_taxonomy.taxonomy_version, 'added', _added, 'unchanged', cardinality(_nodes) - _added,
        'total_nodes', (SELECT count(*) FROM taxonomy_nodes n WHERE n.taxonomy_version = import_taxonomy.taxonomy_version));
    IF (import_taxonomy.request).key IS NOT NULL THEN
        PERFORM keep_request(import_taxonomy.request, _answer);
    END IF;
    RETURN _answer;
END $$;
