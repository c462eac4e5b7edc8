SELECT position, stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE position = $1
