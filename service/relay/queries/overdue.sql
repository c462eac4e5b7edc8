-- Attempts past their deadline: found among what runs, however many failed tasks are kept.
SELECT t.task_id, t.lease
FROM background_tasks t
WHERE t.status = 'running' AND t.started_at + make_interval(secs => t.timeout_seconds) <= clock_timestamp()
