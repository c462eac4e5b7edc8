-- Which tasks waited longest before a worker took them?
SELECT l.task_id, l.task_name, l.attempt, l.worker_id,
       l.started_at - greatest(q.recorded_at, (q.data ->> 'run_at')::timestamptz) AS waited, l.started_at::timestamptz(0)
FROM task_execution_logs l
JOIN events q ON q.position = l.queued_position
WHERE l.started_at > now() - interval :'since'
ORDER BY waited DESC, l.task_id, l.attempt
LIMIT 10;
