-- Which tasks were rescued from a dead worker, and what became of them?
SELECT a.task_id, a.task_type, a.worker_id AS lost_with, a.ended_at::timestamptz(0) AS rescued_at,
       t.worker_id AS last_ran_on, t.attempt, t.status AS is_now
FROM task_attempts a
JOIN background_tasks t USING (task_id)
WHERE a.outcome = 'rescued' AND a.ended_at > now() - interval :'since'
ORDER BY a.ended_at DESC, a.task_id
LIMIT 50;
