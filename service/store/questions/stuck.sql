-- Which tasks are stuck, and why?
SELECT s.task_id, s.task_type, s.queue, s.status, s.attempt, date_trunc('second', now() - s.since) AS for_so_long, s.why
FROM stuck_tasks s
ORDER BY s.since
LIMIT 50;
