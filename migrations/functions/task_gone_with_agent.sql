-- The end of its agent that took a task's row with it: one event, or none.
--
--   SELECT position, recorded_at, actor FROM task_gone_with_agent('task-100000001');

CREATE FUNCTION task_gone_with_agent(task_id text) RETURNS SETOF events
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT gone.*
    FROM events enqueued
    CROSS JOIN LATERAL (SELECT r.at FROM reaching_events('task', ARRAY[task_gone_with_agent.task_id]) AS r (at)) r
    JOIN events gone ON gone.position = r.at AND gone.type = 'agent.deleted' AND gone.position > enqueued.position
    WHERE enqueued.stream_type = 'task' AND enqueued.stream_id = task_gone_with_agent.task_id AND enqueued.version = 1
    ORDER BY gone.position
    LIMIT 1
$$;
