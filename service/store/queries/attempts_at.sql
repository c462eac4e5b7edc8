-- The runs of a task that had begun at a position, from its events: those of tasks that are gone now, too.
SELECT begun.stream_id AS task_id, (begun.data ->> 'attempt')::integer AS attempt,
       CASE ended.type WHEN 'task.timed_out' THEN 'timeout' ELSE coalesce(substr(ended.type, 6), 'running') END AS status,
       coalesce((begun.data ->> 'occurred_at')::timestamptz, begun.recorded_at) AS started_at,
       ended.at AS ended_at,
       coalesce((ended.data ->> 'duration_ms')::real,
                extract(epoch FROM ended.at - coalesce((begun.data ->> 'occurred_at')::timestamptz, begun.recorded_at)) * 1000)::real
           AS duration_ms,
       begun.data ->> 'worker_id' AS worker_id, ended.data ->> 'error_type' AS error_type,
       coalesce(ended.data ->> 'error_message', ended.data ->> 'error') AS error_message,
       begun.position AS started_position, ended.position AS ended_position
FROM events begun
LEFT JOIN LATERAL (
    SELECT e.type, e.data, e.position, coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at) AS at
    FROM events e
    WHERE e.stream_type = 'task' AND e.stream_id = $1 AND e.version > begun.version AND e.position <= $2
      AND status_after(e.type) IS NOT NULL
    ORDER BY e.version LIMIT 1) ended ON true
WHERE begun.stream_type = 'task' AND begun.stream_id = $1 AND begun.type = 'task.started' AND begun.position <= $2
ORDER BY begun.version
