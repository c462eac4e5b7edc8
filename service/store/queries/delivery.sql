SELECT w.delivery_id, w.task_id, w.task_type, w.event_type, w.event_position, w.requested_position, w.url, w.endpoint,
       w.sequence, w.status, w.attempts, w.failures, w.redeliveries, w.next_attempt_at, w.http_status, w.error,
       w.latency_ms::double precision, w.reason, w.created_at, w.changed_at, w.finished_at, w.api_key, w.correlation_id,
       coalesce(n.status, 'active') AS endpoint_status
FROM webhook_deliveries w
LEFT JOIN webhook_endpoints n ON n.endpoint = w.endpoint
WHERE w.delivery_id = $1
