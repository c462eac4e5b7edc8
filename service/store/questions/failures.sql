-- Which errors make attempts fail?
SELECT a.task_type, a.error_type, left(a.error_message, 60) AS message, count(*) AS failures,
       count(DISTINCT a.task_id) AS tasks, max(a.task_id) AS for_example, date_trunc('second', now() - max(a.ended_at)) AS last_ago
FROM task_attempts a
WHERE a.outcome IN ('failed', 'timeout', 'retry_scheduled') AND a.ended_at > now() - interval :'since'
GROUP BY a.task_type, a.error_type, left(a.error_message, 60)
ORDER BY failures DESC, last_ago
LIMIT 20;
