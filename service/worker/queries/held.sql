-- The tasks that the database believes a worker to be running, with their leases and starts; those started at $2 or later.
SELECT t.task_id, t.lease, t.started_position
FROM background_tasks t
WHERE t.status = 'running' AND t.started_position >= $2 AND t.worker_id = $1
