SELECT task_id, attempt, detail_status AS status, started_at, completed_at AS ended_at, duration_ms, worker_id,
       error_type, error_message, started_position, ended_position
FROM task_execution_logs
WHERE task_id = $1
ORDER BY attempt
