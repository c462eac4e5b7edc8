-- Tasks with what was told of their ends: without it an import would count no failed webhooks, and a relay there
-- would send them all once more.
SELECT position, stream_type, stream_id, version, type, data::text AS data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE position >= $1 AND position <= $2
  AND (stream_type = 'task' AND stream_id = ANY ($4::text[])
       OR position IN (SELECT w.position FROM unnest($4::text[]) t CROSS JOIN LATERAL deliveries_of_task(t) w))
ORDER BY position
LIMIT $3
