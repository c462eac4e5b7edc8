-- Which retries help?
SELECT a.task_type, a.error_type, count(*) AS retried,
       count(*) FILTER (WHERE n.outcome = 'completed') AS then_completed,
       count(*) FILTER (WHERE n.outcome IN ('failed', 'timeout', 'retry_scheduled')) AS failed_again,
       round(100.0 * count(*) FILTER (WHERE n.outcome = 'completed') / count(*)) AS helped_percent
FROM task_attempts a
LEFT JOIN task_attempts n ON n.task_id = a.task_id AND n.attempt = a.attempt + 1
WHERE a.outcome = 'retry_scheduled' AND a.ended_at > now() - interval :'since'
GROUP BY a.task_type, a.error_type
ORDER BY retried DESC;
