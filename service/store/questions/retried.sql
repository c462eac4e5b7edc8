-- Who retried what by hand, and did it help?
SELECT l.recorded_at::timestamptz(0), l.actor, t.task_id, t.task_type, l.reason, t.attempt, t.status AS is_now
FROM audit_log l
JOIN background_tasks t ON t.task_id = substr(l.target, length('task:') + 1)
WHERE l.action = 'task.retry_requested'
ORDER BY l.position DESC
LIMIT 20;
