-- Newest first; total counts all that match. $1..$3 filter when given: level, coverage at least, text in name or scope.
SELECT agent_id, name, taxonomy_node_ids, taxonomy_version, scope_description, total_documents, total_chunks,
       coverage_percent::float8 AS coverage_percent, last_coverage_update, level, current_xp, total_queries, successful_queries,
       avg_faithfulness, avg_response_time_ms, retrieval_config, features_config, created_at, updated_at, last_query_at, targets,
       count(*) OVER () AS total
FROM agents
WHERE ($1::integer IS NULL OR level = $1)
  AND ($2::float8 IS NULL OR coverage_percent >= $2)
  AND ($3::text IS NULL OR strpos(lower(concat_ws(' ', name, scope_description)), lower($3)) > 0)
ORDER BY created_position DESC
LIMIT $4
