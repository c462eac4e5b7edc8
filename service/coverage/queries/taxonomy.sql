-- The nodes of one version with their parents (the first is the one they stand under) and document counts.
SELECT n.node_id, n.label, n.canonical_path,
       ARRAY(SELECT e.parent_id FROM taxonomy_edges e
             WHERE e.taxonomy_version = n.taxonomy_version AND e.child_id = n.node_id ORDER BY e.ordinal, e.parent_id) AS parents,
       (SELECT count(*) FROM document_taxonomy x WHERE x.node_id = n.node_id AND x.confidence >= $2) AS documents
FROM taxonomy_nodes n
WHERE n.taxonomy_version = $1
ORDER BY n.canonical_path, n.node_id
