-- Which pending task could have run for longest, in each queue?
SELECT DISTINCT ON (t.queue) t.queue, t.task_id, t.task_type, t.priority,
       date_trunc('second', now() - coalesce(t.run_at, t.created_at)) AS waits
FROM background_tasks t
WHERE t.status = 'pending' AND (t.ready_position IS NOT NULL OR t.run_at <= now())
ORDER BY t.queue, coalesce(t.run_at, t.created_at), t.enqueued_position;
