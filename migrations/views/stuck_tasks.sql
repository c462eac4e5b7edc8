-- Tasks that run longer than their deadline, or wait although they could run for five minutes already.
--
--   SELECT * FROM stuck_tasks;

CREATE VIEW stuck_tasks AS
SELECT t.task_id, t.task_type, t.queue, t.status, t.worker_id, t.attempt,
       coalesce(CASE t.status WHEN 'running' THEN t.started_at END, t.run_at, t.created_at) AS since,
       CASE WHEN t.status = 'running' THEN 'runs past its deadline'
            WHEN q.paused THEN 'its queue is paused'
            WHEN NOT EXISTS (SELECT FROM workers w WHERE w.status = 'live' AND t.queue = ANY (w.queues) AND t.task_type = ANY (w.task_types))
                 THEN 'no live worker serves its queue and type'
            ELSE 'waits for a free slot' END AS why
FROM background_tasks t
LEFT JOIN queues q ON q.queue = t.queue
WHERE t.status = 'running' AND t.started_at + make_interval(secs => t.timeout_seconds) < now()
   OR t.status = 'pending' AND coalesce(t.run_at, t.created_at) < now() - interval '5 minutes';

COMMENT ON COLUMN stuck_tasks.task_id IS 'The task';
COMMENT ON COLUMN stuck_tasks.task_type IS 'Its type';
COMMENT ON COLUMN stuck_tasks.queue IS 'Its queue';
COMMENT ON COLUMN stuck_tasks.status IS 'pending or running';
COMMENT ON COLUMN stuck_tasks.worker_id IS 'Worker of its last attempt';
COMMENT ON COLUMN stuck_tasks.attempt IS 'Runs so far';
COMMENT ON COLUMN stuck_tasks.since IS 'Start of the attempt, or since when it could run';
COMMENT ON COLUMN stuck_tasks.why IS 'The likeliest reason, in words';
