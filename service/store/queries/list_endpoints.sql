-- Endpoints are found one after the other in the index, without reading their deliveries.
WITH RECURSIVE sent_to AS (
    (SELECT d.endpoint FROM webhook_deliveries d ORDER BY d.endpoint LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint FROM webhook_deliveries d WHERE d.endpoint > s.endpoint ORDER BY d.endpoint LIMIT 1)
    FROM sent_to s WHERE s.endpoint IS NOT NULL),
known AS (
    SELECT s.endpoint FROM sent_to s WHERE s.endpoint IS NOT NULL
    UNION
    SELECT n.endpoint FROM webhook_endpoints n),
failed AS MATERIALIZED (
    SELECT e.data ->> 'endpoint' AS endpoint, count(*) AS attempts
    FROM events e
    WHERE e.type = 'webhook.attempt_failed' AND e.position > (SELECT position_at(clock_timestamp() - interval '1 hour'))
    GROUP BY 1)
SELECT k.endpoint, coalesce(n.status, 'active'), n.reason, n.changed_at, w.pending,
       extract(epoch FROM clock_timestamp() - w.oldest_at)::double precision, d.finished_at,
       last_webhook_number(k.endpoint), coalesce(f.attempts, 0)
FROM known k
LEFT JOIN webhook_endpoints n ON n.endpoint = k.endpoint
LEFT JOIN failed f ON f.endpoint = k.endpoint
CROSS JOIN LATERAL (
    SELECT count(*) AS pending,
           min(CASE WHEN p.redeliveries = 0 THEN p.created_at ELSE p.next_attempt_at END) AS oldest_at
    FROM webhook_deliveries p
    WHERE p.status = 'pending' AND p.endpoint = k.endpoint) w
LEFT JOIN LATERAL (
    SELECT l.finished_at
    FROM webhook_deliveries l
    WHERE l.endpoint = k.endpoint AND l.status = 'delivered'
    ORDER BY l.requested_position DESC
    LIMIT 1) d ON true
ORDER BY k.endpoint
