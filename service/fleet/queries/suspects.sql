-- Who may have to be rescued from: every live worker but oneself, and whoever holds running tasks without being one,
-- because it stopped, was given up, or never registered (then seen_at is NULL). For those, the newest change of
-- one of their tasks counts as a sign of life too.
SELECT w.worker_id, w.seen_at, NULL::bigint AS last_change
FROM workers w
WHERE w.status = 'live' AND w.worker_id IS DISTINCT FROM $1
UNION ALL
SELECT r.worker_id, w.seen_at, r.last_change
FROM (SELECT t.worker_id, max(t.changed_position) AS last_change
      FROM background_tasks t WHERE t.status = 'running' GROUP BY t.worker_id) r
LEFT JOIN workers w ON w.worker_id = r.worker_id
WHERE w.status IS DISTINCT FROM 'live'
