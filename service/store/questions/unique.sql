-- Which unique keys are taken?
SELECT t.unique_key, t.task_id, t.task_type, t.status, date_trunc('second', now() - t.created_at) AS taken_for
FROM background_tasks t
WHERE t.unique_key IS NOT NULL AND t.status IN ('pending', 'running')
ORDER BY t.created_at
LIMIT 50;
