SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, '{}'::jsonb AS data, e.actor, e.correlation_id, e.causation_id, e.trace, e.recorded_at
FROM events e
WHERE e.position > $1 AND e.position <= $2 AND e.type = ANY ($3)
ORDER BY e.position
LIMIT $4
