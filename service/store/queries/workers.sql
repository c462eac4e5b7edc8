SELECT w.worker_id, w.status, w.host, w.pid, w.queues, w.task_types, w.concurrency, w.code_version, w.started_at, w.seen_at,
       w.stopped_at, w.reason, coalesce(r.running, 0)::integer AS running
FROM workers w
LEFT JOIN (SELECT worker_id, count(*) AS running FROM background_tasks WHERE status = 'running' GROUP BY worker_id) r
     ON r.worker_id = w.worker_id
WHERE w.status = 'live' OR NOT $1::boolean
ORDER BY w.started_at DESC, w.worker_id
LIMIT 1000
