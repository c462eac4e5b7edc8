-- Which task types are idle, or served by nobody?
SELECT y.task_type, y.owner, count(w.worker_id) AS live_workers, coalesce(t.open, 0) AS open, date_trunc('second', now() - t.last_enqueued) AS idle_for
FROM task_types y
LEFT JOIN workers w ON w.status = 'live' AND y.task_type = ANY (w.task_types)
LEFT JOIN (SELECT b.task_type, count(*) FILTER (WHERE b.status IN ('pending', 'running')) AS open, max(b.created_at) AS last_enqueued
           FROM background_tasks b GROUP BY b.task_type) t USING (task_type)
WHERE y.current
GROUP BY y.task_type, y.owner, t.open, t.last_enqueued
ORDER BY live_workers, idle_for DESC NULLS FIRST, y.task_type;
