-- Where in the code do errors come from, and since when?
SELECT e.task_type, e.error_type, left(e.pattern, 50) AS pattern, e.frame, e.occurrences, e.final,
       e.first_seen_at::timestamptz(0), date_trunc('second', now() - e.last_seen_at) AS last_ago
FROM errors e
WHERE e.last_seen_at > now() - interval :'since'
ORDER BY e.occurrences DESC, e.last_seen_at DESC
LIMIT 20;
