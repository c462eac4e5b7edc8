SELECT p.follower, p.position, e.type, e.stream_type || '/' || e.stream_id AS stream, p.times, p.parked_at, p.error
FROM parked_events p JOIN events e USING (position)
WHERE ($1::text IS NULL OR p.follower = $1)
ORDER BY p.follower, p.position
LIMIT $2
