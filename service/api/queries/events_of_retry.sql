-- What a task ($1) was when it was retried at a position ($2): how it was enqueued, and its last start before.
SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, e.data, e.actor, e.correlation_id, e.causation_id,
       e.trace, e.recorded_at
FROM events e
WHERE e.stream_type = 'task' AND e.stream_id = $1
  AND (e.version = 1
       OR e.version = (SELECT max(s.version) FROM events s
                       WHERE s.stream_type = 'task' AND s.stream_id = $1 AND s.type = 'task.started' AND s.position < $2))
ORDER BY e.version
