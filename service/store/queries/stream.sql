SELECT position, stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE stream_type = $1 AND stream_id = $2 AND version > $3
ORDER BY version
LIMIT $4
