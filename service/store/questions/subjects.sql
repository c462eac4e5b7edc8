-- Which agents and other subjects are busiest?
SELECT t.subject, count(*) AS tasks, count(*) FILTER (WHERE t.status IN ('pending', 'running')) AS open,
       count(*) FILTER (WHERE t.status IN ('failed', 'timeout')) AS failed, date_trunc('second', now() - max(t.created_at)) AS last_ago
FROM background_tasks t
WHERE t.subject IS NOT NULL AND t.created_at > now() - interval :'since'
GROUP BY t.subject
ORDER BY tasks DESC, t.subject
LIMIT 20;
