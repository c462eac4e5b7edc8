SELECT position, stream_type, stream_id, version, type, data::text AS data, actor, correlation_id, causation_id, trace, recorded_at
FROM deliveries_of_task($1)
