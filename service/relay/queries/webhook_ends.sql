SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, '{}'::jsonb AS data, e.actor, e.correlation_id, e.causation_id, e.trace, e.recorded_at
FROM webhook_ends($1, $2) AS w (position) JOIN events e USING (position)
ORDER BY e.position
LIMIT $3
