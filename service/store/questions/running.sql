-- What runs now, since when, and how far is it?
SELECT t.task_id, t.task_type, t.worker_id, t.attempt, date_trunc('second', now() - t.started_at) AS runs,
       t.progress_percentage AS percent, t.step
FROM background_tasks t
WHERE t.status = 'running'
ORDER BY t.started_at
LIMIT 50;
