-- What did dead workers lose?
SELECT w.worker_id, w.host, w.stopped_at::timestamptz(0) AS given_up_at, count(a.task_id) AS attempts_lost,
       count(*) FILTER (WHERE a.outcome = 'failed') AS tasks_failed, round(coalesce(sum(a.duration_ms), 0) / 1000) AS seconds_lost
FROM workers w
LEFT JOIN task_attempts a ON a.worker_id = w.worker_id AND (a.outcome = 'rescued' OR a.error_type = 'WorkerLost')
WHERE w.status = 'lost'
GROUP BY w.worker_id
ORDER BY w.stopped_at DESC
LIMIT 20;
