SELECT position, stream_type, stream_id, version, type, data::text AS data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE stream_type = 'task' AND stream_id = $1
ORDER BY version
