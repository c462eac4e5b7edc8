-- Days, weeks (from Monday) or months in UTC; $2 is the unit of date_trunc.
SELECT date_trunc($2, timestamp, 'UTC') AS start,
       min(overall_coverage)::float8 AS min, max(overall_coverage)::float8 AS max, round(avg(overall_coverage), 2)::float8 AS avg,
       (array_agg(overall_coverage ORDER BY timestamp DESC, history_id DESC))[1]::float8 AS last, count(*) AS count
FROM coverage_history
WHERE agent_id = $1
  AND ($3::timestamptz IS NULL OR timestamp >= $3)
  AND ($4::timestamptz IS NULL OR timestamp <= $4)
GROUP BY 1
ORDER BY 1
