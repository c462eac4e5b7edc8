-- Which worker ran a task, and what else did it run then?
SELECT m.attempt, m.worker_id, o.task_id AS beside, o.task_name, o.detail_status, o.started_at::timestamptz(0), o.duration_ms
FROM task_execution_logs m
LEFT JOIN task_execution_logs o ON o.worker_id = m.worker_id AND o.task_id <> m.task_id
    AND o.started_at < coalesce(m.completed_at, now()) AND coalesce(o.completed_at, now()) > m.started_at
WHERE m.task_id = :'task' AND m.worker_id IS NOT NULL
ORDER BY m.attempt, o.started_at, o.task_id
LIMIT 50;
