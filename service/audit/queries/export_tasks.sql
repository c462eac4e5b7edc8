SELECT position, stream_type, stream_id, version, type, data::text AS data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE position >= $1 AND position <= $2 AND stream_type = 'task' AND stream_id = ANY ($4::text[])
ORDER BY position
LIMIT $3
