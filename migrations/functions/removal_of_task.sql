-- What took a task's row: the end of its agent, or a batch of retention. One event, or none.
--
--   SELECT position, type, recorded_at, actor FROM removal_of_task('task-100000001');

CREATE FUNCTION removal_of_task(task_id text) RETURNS SETOF events
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT gone.*
    FROM events enqueued
    CROSS JOIN LATERAL (SELECT r.at FROM reaching_events('task', ARRAY[removal_of_task.task_id]) AS r (at)) r
    JOIN events gone ON gone.position = r.at AND gone.position > enqueued.position
                    AND (gone.type = 'agent.deleted' OR gone.position = retention_of_task(removal_of_task.task_id))
    WHERE enqueued.stream_type = 'task' AND enqueued.stream_id = removal_of_task.task_id AND enqueued.version = 1
    ORDER BY gone.position
    LIMIT 1
$$;
