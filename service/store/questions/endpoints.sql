-- Where do webhooks go, what waits there, and what fails?
SELECT endpoint, coalesce(n.status, 'active') AS status, count(*) FILTER (WHERE w.status = 'pending') AS pending,
       date_trunc('second', now() - min(w.created_at) FILTER (WHERE w.status = 'pending')) AS oldest_waits,
       count(*) FILTER (WHERE w.status = 'delivered' AND w.finished_at > now() - interval :'since') AS delivered,
       count(*) FILTER (WHERE w.status = 'abandoned' AND w.finished_at > now() - interval :'since') AS abandoned,
       date_trunc('second', now() - max(w.finished_at) FILTER (WHERE w.status = 'delivered')) AS last_delivered_ago,
       max(w.sequence) AS last_sequence, n.reason
FROM webhook_deliveries w
FULL JOIN webhook_endpoints n USING (endpoint)
GROUP BY endpoint, n.status, n.reason
ORDER BY pending DESC, endpoint;
