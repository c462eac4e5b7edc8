-- Open webhooks, at most $1 of them, those that are due first; the age of the oldest among them.
SELECT count(*) AS open, coalesce(extract(epoch FROM clock_timestamp() - min(w.created_at)), 0)::double precision AS oldest_seconds
FROM (SELECT d.created_at FROM webhook_deliveries d WHERE d.status = 'pending' ORDER BY d.next_attempt_at LIMIT $1) w
