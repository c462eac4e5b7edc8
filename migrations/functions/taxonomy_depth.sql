-- How many levels the deepest of these nodes lies below its farthest root, counting itself; not counted beyond the bound.
--
--   SELECT taxonomy_depth('1.0.0', ARRAY(SELECT node_id FROM taxonomy_nodes LIMIT 10));

CREATE FUNCTION taxonomy_depth(taxonomy_version text, node_ids uuid[]) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    WITH RECURSIVE upwards AS (
        SELECT n AS node_id, 1 AS depth FROM unnest(taxonomy_depth.node_ids) n
        UNION
        SELECT e.parent_id, u.depth + 1 FROM upwards u
        JOIN taxonomy_edges e ON e.taxonomy_version = taxonomy_depth.taxonomy_version AND e.child_id = u.node_id
        WHERE u.depth <= max_taxonomy_depth())
    SELECT max(u.depth) FROM upwards u
$$;
