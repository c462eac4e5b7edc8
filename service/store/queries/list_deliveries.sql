-- Newest first. $1..$5 filter when given; $6 is the requested_position before which the page starts; $7 rows.
SELECT w.delivery_id, w.task_id, w.task_type, w.event_type, w.event_position, w.requested_position, w.url, w.endpoint,
       w.sequence, w.status, w.attempts, w.failures, w.redeliveries, w.next_attempt_at, w.http_status, w.error,
       w.latency_ms::double precision, w.reason, w.created_at, w.changed_at, w.finished_at, w.api_key, w.correlation_id,
       coalesce(n.status, 'active') AS endpoint_status
FROM webhook_deliveries w
LEFT JOIN webhook_endpoints n ON n.endpoint = w.endpoint
WHERE ($1::text[] IS NULL OR w.status = ANY ($1))
  AND ($2::text IS NULL OR w.task_id = $2)
  AND ($3::text IS NULL OR w.endpoint = webhook_endpoint($3))
  AND ($4::timestamptz IS NULL OR w.created_at >= $4)
  AND ($5::timestamptz IS NULL OR w.created_at < $5)
  AND ($6::bigint IS NULL OR w.requested_position < $6)
ORDER BY w.requested_position DESC
LIMIT $7
