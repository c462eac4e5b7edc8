-- The nodes of a scope with their labels and the agent's own targets (null: the default).
SELECT n.node_id, n.label, ($3::jsonb ->> n.node_id::text)::integer AS target
FROM agent_scope($1, $2) s
JOIN taxonomy_nodes n ON n.taxonomy_version = $2 AND n.node_id = s.node_id
ORDER BY n.canonical_path, n.node_id
