-- The 1-based rank of a task among what could be claimed before it in its queue: by class, then due tasks by
-- run_at, then ready ones by ready_position, as a claim takes them. Counted up to 10,000; beyond that, the ready
-- tasks of its class are estimated from how densely they lie among positions.
WITH me AS (
    SELECT t.task_id, t.status, t.queue, t.task_type, t.run_at, t.ready_position, t.started_at, l.class
    FROM background_tasks t JOIN lanes l ON l.lane = t.lane
    WHERE t.task_id = $1),
waiting AS (
    SELECT m.* FROM me m
    WHERE m.status = 'pending' AND (m.ready_position IS NOT NULL OR m.run_at <= now())),
before_class AS (
    SELECT count(*) AS n
    FROM (SELECT FROM waiting m
          JOIN lanes l ON l.queue = m.queue AND l.class < m.class
          JOIN background_tasks t ON t.lane = l.lane AND t.status = 'pending'
                                  AND (t.ready_position IS NOT NULL OR t.run_at <= now())
          LIMIT 10001) x),
due AS (
    SELECT count(*) AS n
    FROM (SELECT FROM waiting m
          JOIN lanes l ON l.queue = m.queue AND l.class = m.class
          JOIN background_tasks t ON t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NULL
                                  AND t.run_at <= now()
                                  AND (m.ready_position IS NOT NULL OR (t.run_at, t.task_id) < (m.run_at, m.task_id))
          LIMIT 10001) x),
ready AS (
    SELECT count(*) AS n, min(x.ready_position) AS first, max(x.ready_position) AS last, max(x.mine) AS mine
    FROM (SELECT t.ready_position, m.ready_position AS mine FROM waiting m
          JOIN lanes l ON l.queue = m.queue AND l.class = m.class
          CROSS JOIN LATERAL (
              SELECT b.ready_position FROM background_tasks b
              WHERE b.lane = l.lane AND b.status = 'pending' AND b.ready_position < m.ready_position
              ORDER BY b.ready_position LIMIT 10001) t
          ORDER BY t.ready_position LIMIT 10001) x),
rank AS (
    SELECT 1 + b.n + d.n + CASE WHEN r.n <= 10000 THEN r.n
               ELSE r.n + round((r.mine - r.last) * r.n::numeric / greatest(r.last - r.first, 1)) END AS rank,
           greatest(b.n, d.n, r.n) <= 10000 AND b.n + d.n + r.n < 10000 AS exact
    FROM waiting m, before_class b, due d, ready r),
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
SELECT r.rank::bigint AS queue_position, coalesce(r.exact, true) AS exact,
       CASE WHEN m.status = 'running'
            THEN greatest(now(), m.started_at + make_interval(secs => c.seconds))
            ELSE now() + make_interval(secs => c.seconds * greatest(r.rank::float8 / s.n, 1)) END AS estimated_completion_at
FROM me m
LEFT JOIN rank r ON true
CROSS JOIN recent c
CROSS JOIN slots s
