-- Which webhooks are not delivered yet, and why?
SELECT w.delivery_id, w.task_id, w.endpoint, w.sequence, w.status, w.attempts,
       date_trunc('second', now() - w.created_at) AS for_so_long,
       CASE WHEN w.status = 'pending' THEN concat_ws(', ', 'its endpoint is ' || nullif(n.status, 'active'),
                                                     'HTTP ' || w.http_status, w.error) ELSE w.reason END AS why
FROM webhook_deliveries w
LEFT JOIN webhook_endpoints n ON n.endpoint = w.endpoint
WHERE w.status = 'pending' OR w.status <> 'delivered' AND w.finished_at > now() - interval :'since'
ORDER BY w.created_at, w.requested_position
LIMIT 50;
