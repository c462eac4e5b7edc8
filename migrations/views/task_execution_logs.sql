-- One row for each attempt, also the open one: pending, running, success or failed, with the detail beside it.
--
-- Ended attempts are rows of task_attempts; the open attempt of a pending or running task comes from
-- background_tasks. Tracebacks stay in the event that ended the attempt (ended_position).
--
--   SELECT task_name, status, detail_status, duration_ms FROM task_execution_logs WHERE task_id = 'task-100000001' ORDER BY attempt;

CREATE VIEW task_execution_logs AS
SELECT a.ended_position AS id, a.task_type AS task_name,
       CASE a.outcome WHEN 'completed' THEN 'success' ELSE 'failed' END AS status, a.outcome AS detail_status,
       a.task_id, a.attempt, a.started_at, a.ended_at AS completed_at, a.duration_ms, a.error_type, a.error_message,
       a.worker_id, a.queued_position, a.started_position, a.ended_position
FROM task_attempts a
UNION ALL
SELECT t.queued_position, t.task_type, t.status, t.status,
       t.task_id, t.attempt + (t.status = 'pending')::integer, CASE t.status WHEN 'running' THEN t.started_at END, NULL, NULL, NULL, NULL,
       CASE t.status WHEN 'running' THEN t.worker_id END, t.queued_position, CASE t.status WHEN 'running' THEN t.started_position END, NULL
FROM background_tasks t
WHERE t.status IN ('pending', 'running');

COMMENT ON VIEW task_execution_logs IS 'One row for each attempt, open ones included';
