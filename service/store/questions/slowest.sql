-- Which types of task are slowest?
SELECT a.task_type, count(*) AS attempts,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_ms)) AS p50_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY a.duration_ms)) AS p95_ms,
       round(max(a.duration_ms)) AS max_ms
FROM task_attempts a
WHERE a.outcome IN ('completed', 'failed', 'timeout', 'retry_scheduled') AND a.ended_at > now() - interval :'since'
GROUP BY a.task_type
ORDER BY p95_ms DESC;
