-- Who cancelled what, and why?
SELECT l.recorded_at::timestamptz(0), l.actor, substr(l.target, length('task:') + 1) AS task_id, t.task_type, l.reason, t.status AS is_now
FROM audit_log l
LEFT JOIN background_tasks t ON t.task_id = substr(l.target, length('task:') + 1)
WHERE l.action IN ('task.cancelled', 'task.cancellation_requested')
ORDER BY l.position DESC
LIMIT 20;
