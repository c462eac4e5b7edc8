-- Documents per node from a confidence on; a document is classified at most once per node.
SELECT node_id, count(*) AS count
FROM document_taxonomy
WHERE node_id = ANY ($1::uuid[]) AND confidence >= $2
GROUP BY node_id
