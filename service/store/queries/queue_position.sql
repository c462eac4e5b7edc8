-- Where a task stands in its queue (functions/task_rank.sql), and when it may be done.
WITH me AS (
    SELECT t.status, t.queue, t.task_type, t.started_at
    FROM background_tasks t
    WHERE t.task_id = $1),
-- How long tasks of this queue took lately: those that the last thousand events of the log completed.
recent AS (
    SELECT avg((e.data ->> 'duration_ms')::float8) / 1000 AS seconds
    FROM me m
    CROSS JOIN (SELECT x.stream_id, x.type, x.data FROM events x ORDER BY x.position DESC LIMIT 1000) e
    JOIN background_tasks t ON t.task_id = e.stream_id AND t.queue = m.queue
    WHERE e.type = 'task.completed'),
slots AS (
    SELECT sum(w.concurrency) AS n
    FROM me m JOIN workers w ON w.status = 'live' AND m.queue = ANY (w.queues) AND m.task_type = ANY (w.task_types))
SELECT r.rank AS queue_position, coalesce(r.exact, true) AS exact,
       CASE WHEN m.status = 'running'
            THEN greatest(now(), m.started_at + make_interval(secs => c.seconds))
            ELSE now() + make_interval(secs => c.seconds * greatest(r.rank::float8 / s.n, 1)) END AS estimated_completion_at
FROM me m
LEFT JOIN task_rank($1) r ON true
CROSS JOIN recent c
CROSS JOIN slots s
