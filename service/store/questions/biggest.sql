-- Which params and results are biggest?
SELECT e.stream_id AS task_id, e.type, pg_size_pretty(pg_column_size(e.data)::bigint) AS stored
FROM events e
WHERE e.type IN ('task.enqueued', 'task.completed') AND e.position > (SELECT position_at(now() - interval :'since'))
ORDER BY pg_column_size(e.data) DESC, e.position
LIMIT 10;
