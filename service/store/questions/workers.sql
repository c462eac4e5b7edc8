-- Which workers live, and how busy are they?
SELECT w.worker_id, w.host, w.queues, coalesce(r.running, 0) AS running, w.concurrency AS slots,
       date_trunc('second', now() - w.seen_at) AS silent_for, date_trunc('second', now() - w.started_at) AS up_for
FROM workers w
LEFT JOIN (SELECT t.worker_id, count(*) AS running FROM background_tasks t
           WHERE t.status = 'running' GROUP BY t.worker_id) r USING (worker_id)
WHERE w.status = 'live'
ORDER BY w.started_at;
