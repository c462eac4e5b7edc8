-- Newest first; total counts all within the dates, both inclusive and optional.
SELECT timestamp, overall_coverage::float8 AS overall_coverage, total_documents, total_chunks, version, count(*) OVER () AS total
FROM coverage_history
WHERE agent_id = $1
  AND ($2::timestamptz IS NULL OR timestamp >= $2)
  AND ($3::timestamptz IS NULL OR timestamp <= $3)
ORDER BY timestamp DESC, history_id DESC
LIMIT $4
