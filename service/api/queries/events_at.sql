-- The events at given positions ($1), in no order.
SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, e.data, e.actor, e.correlation_id, e.causation_id,
       e.trace, e.recorded_at
FROM events e
WHERE e.position = ANY ($1::bigint[])
