SELECT agent_id, name, taxonomy_node_ids, taxonomy_version, scope_description, total_documents, total_chunks,
       coverage_percent::float8 AS coverage_percent, last_coverage_update, level, current_xp, total_queries, successful_queries,
       avg_faithfulness, avg_response_time_ms, retrieval_config, features_config, created_at, updated_at, last_query_at, targets
FROM agents
WHERE agent_id = $1
