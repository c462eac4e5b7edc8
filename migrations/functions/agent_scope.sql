-- The nodes that an agent covers: those it names and all their descendants in one taxonomy version, each once.
--
-- UNION drops what was reached before, so a node under two parents counts once and a cycle ends.
--
--   SELECT s.node_id FROM agents a, agent_scope(a.taxonomy_node_ids, a.taxonomy_version) s LIMIT 20;

CREATE FUNCTION agent_scope(node_ids uuid[], taxonomy_version text) RETURNS TABLE (node_id uuid)
LANGUAGE sql STABLE
AS $$
    WITH RECURSIVE scope AS (
        SELECT n.node_id FROM taxonomy_nodes n
        WHERE n.taxonomy_version = agent_scope.taxonomy_version AND n.node_id = ANY (agent_scope.node_ids)
        UNION
        SELECT e.child_id FROM scope s
        JOIN taxonomy_edges e ON e.taxonomy_version = agent_scope.taxonomy_version AND e.parent_id = s.node_id)
    SELECT s.node_id FROM scope s
$$;
