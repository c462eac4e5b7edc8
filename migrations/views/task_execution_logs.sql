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

COMMENT ON COLUMN task_execution_logs.id IS 'Position of the event that ended the attempt, or that queued it while it is open';
COMMENT ON COLUMN task_execution_logs.task_name IS 'Type of the task';
COMMENT ON COLUMN task_execution_logs.status IS 'pending, running, success or failed';
COMMENT ON COLUMN task_execution_logs.detail_status IS 'How the attempt ended, as in task_attempts; or pending, running';
COMMENT ON COLUMN task_execution_logs.task_id IS 'The task';
COMMENT ON COLUMN task_execution_logs.attempt IS 'Number of the run, from 1';
COMMENT ON COLUMN task_execution_logs.started_at IS 'When a worker claimed it';
COMMENT ON COLUMN task_execution_logs.completed_at IS 'When its end was recorded';
COMMENT ON COLUMN task_execution_logs.duration_ms IS 'As the worker measured it';
COMMENT ON COLUMN task_execution_logs.error_type IS 'Exception class of a failed attempt';
COMMENT ON COLUMN task_execution_logs.error_message IS 'Message of a failed attempt';
COMMENT ON COLUMN task_execution_logs.worker_id IS 'Who runs or ran it';
COMMENT ON COLUMN task_execution_logs.queued_position IS 'Position of the event that queued it';
COMMENT ON COLUMN task_execution_logs.started_position IS 'Position of its task.started event';
COMMENT ON COLUMN task_execution_logs.ended_position IS 'Position of the event that ended it; null while it is open';
