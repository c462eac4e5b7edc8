-- Filtered events after $1 up to $2; the caller makes sure that $2 is settled.
SELECT position, stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at
FROM events
WHERE position > $1 AND position <= $2
  AND ($3::text[] IS NULL OR type LIKE ANY ($3))
  AND ($4::text IS NULL OR stream_type = $4)
  AND ($5::text IS NULL OR stream_id = $5)
ORDER BY position
LIMIT $6
