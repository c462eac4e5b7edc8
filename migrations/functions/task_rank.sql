-- The 1-based rank of a task among what could be claimed before it in its queue; NULL when it is not claimable.
--
-- By class, then due tasks by run_at, then ready ones by ready_position, as a claim takes them. Counted up to
-- 10,000; beyond that (exact is false) the ready tasks of its class are estimated from how densely they lie
-- among positions.
--
--   SELECT * FROM task_rank('task-100000001');

CREATE FUNCTION task_rank(task_id text, at timestamptz DEFAULT now()) RETURNS TABLE (rank bigint, exact boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH waiting AS (
        SELECT t.task_id, t.queue, t.run_at, t.ready_position, l.class
        FROM background_tasks t JOIN lanes l ON l.lane = t.lane
        WHERE t.task_id = task_rank.task_id AND t.status = 'pending' AND (t.ready_position IS NOT NULL OR t.run_at <= task_rank.at)),
    before_class AS (
        SELECT count(*) AS n
        FROM (SELECT FROM waiting m
              JOIN lanes l ON l.queue = m.queue AND l.class < m.class
              JOIN background_tasks t ON t.lane = l.lane AND t.status = 'pending'
                                      AND (t.ready_position IS NOT NULL OR t.run_at <= task_rank.at)
              LIMIT 10001) x),
    due AS (
        SELECT count(*) AS n
        FROM (SELECT FROM waiting m
              JOIN lanes l ON l.queue = m.queue AND l.class = m.class
              JOIN background_tasks t ON t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NULL
                                      AND t.run_at <= task_rank.at
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
              ORDER BY t.ready_position LIMIT 10001) x)
    SELECT (1 + b.n + d.n + CASE WHEN r.n <= 10000 THEN r.n
            ELSE r.n + round((r.mine - r.last) * r.n::numeric / greatest(r.last - r.first, 1)) END)::bigint,
           greatest(b.n, d.n, r.n) <= 10000 AND b.n + d.n + r.n < 10000
    FROM waiting m, before_class b, due d, ready r
$$;
