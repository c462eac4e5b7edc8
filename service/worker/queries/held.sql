-- The tasks that the database believes a worker to be running, with their leases.
SELECT t.task_id, t.lease
FROM background_tasks t
WHERE t.status = 'running' AND t.worker_id = $1
