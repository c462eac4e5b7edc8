-- The nodes and edges that an import describes, checked for shape; writes nothing.
--
--   SELECT (draft_taxonomy('1.0.0', '[{"label": "Science", "canonical_path": ["Science"]}]')).new_nodes;

CREATE FUNCTION draft_taxonomy(taxonomy_version text, nodes jsonb, OUT new_nodes taxonomy_nodes[], OUT new_edges taxonomy_edges[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _longest constant integer := 100;
    _bad     text;
BEGIN
    IF jsonb_typeof(draft_taxonomy.nodes) IS DISTINCT FROM 'array' OR EXISTS (SELECT FROM jsonb_array_elements(draft_taxonomy.nodes) g WHERE jsonb_typeof(g) <> 'object') THEN
        RAISE EXCEPTION 'nodes must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT format('node %s %s', g.ordinality, p.problem) INTO _bad
    FROM jsonb_array_elements(draft_taxonomy.nodes) WITH ORDINALITY AS g (node, ordinality)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN g.node - ARRAY['node_id', 'label', 'canonical_path', 'parents'] <> '{}' THEN
            'has fields other than node_id, label, canonical_path and parents'
        WHEN jsonb_typeof(g.node -> 'label') IS DISTINCT FROM 'string' OR length(g.node ->> 'label') NOT BETWEEN 1 AND 500 THEN
            'has a label that is not 1 to 500 characters'
        WHEN jsonb_typeof(g.node -> 'canonical_path') IS DISTINCT FROM 'array'
             OR jsonb_array_length(g.node -> 'canonical_path') NOT BETWEEN 1 AND _longest
             OR g.node @? '$.canonical_path[*] ? (@.type() != "string")' THEN
            format('has a canonical_path that is not 1 to %s labels', _longest)
        WHEN jsonb_typeof(g.node -> 'parents') NOT IN ('array', 'null') THEN 'has parents that are not a list of node ids'
    END AS problem) p
    WHERE p.problem IS NOT NULL ORDER BY g.ordinality LIMIT 1;
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION '%', _bad USING ERRCODE = 'AN422', HINT = 'Nothing was imported.';
    END IF;

    WITH given AS (
        SELECT DISTINCT coalesce(d.node_id, md5(concat_ws(E'\x1f', draft_taxonomy.taxonomy_version, array_to_string(d.canonical_path, E'\x1f')))::uuid) AS node_id,
               d.label, d.canonical_path, CASE WHEN g.node -> 'parents' <> 'null' THEN d.parents END AS parents
        FROM jsonb_array_elements(draft_taxonomy.nodes) AS g (node)
        CROSS JOIN LATERAL jsonb_to_record(g.node) AS d (node_id uuid, label text, canonical_path text[], parents uuid[])),
    known AS (
        SELECT n.node_id, n.canonical_path FROM given n
        UNION
        SELECT n.node_id, n.canonical_path FROM taxonomy_nodes n WHERE n.taxonomy_version = draft_taxonomy.taxonomy_version),
    linked AS (
        SELECT n.node_id AS child_id, p.parent_id, min(p.ordinality) AS ordinal
        FROM given n CROSS JOIN LATERAL unnest(n.parents) WITH ORDINALITY AS p (parent_id, ordinality)
        GROUP BY n.node_id, p.parent_id
        UNION ALL
        SELECT n.node_id, k.node_id, 1
        FROM given n JOIN known k ON k.canonical_path = n.canonical_path[: cardinality(n.canonical_path) - 1]
        WHERE n.parents IS NULL)
    SELECT (SELECT array_agg(ROW(draft_taxonomy.taxonomy_version, n.node_id, n.label, n.canonical_path)::taxonomy_nodes) FROM given n),
           (SELECT array_agg(ROW(draft_taxonomy.taxonomy_version, l.parent_id, l.child_id, l.ordinal)::taxonomy_edges) FROM linked l)
      INTO new_nodes, new_edges;
    new_nodes := coalesce(new_nodes, '{}');
    new_edges := coalesce(new_edges, '{}');
    SELECT n.node_id::text INTO _bad FROM unnest(new_nodes) n GROUP BY n.node_id HAVING count(*) > 1 LIMIT 1;
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'node % is given twice with different content', _bad USING ERRCODE = 'AN422', HINT = 'Nothing was imported.';
    END IF;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'a node has a field of the wrong type: %', SQLERRM USING ERRCODE = 'AN422', HINT = 'node_id and parents are uuids.';
END $$;
