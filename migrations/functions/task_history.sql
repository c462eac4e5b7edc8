-- The life of a task from the log: each event, who caused it, and how long after the one before.
--
--   SELECT version, type, actor, gap, data FROM task_history('task-100000001');

CREATE FUNCTION task_history(task_id text)
RETURNS TABLE ("position" bigint, version integer, type text, actor text, recorded_at timestamptz, gap interval, data jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT e.position, e.version, e.type, e.actor, e.recorded_at,
           e.recorded_at - lag(e.recorded_at) OVER (ORDER BY e.version), e.data
    FROM events e
    WHERE e.stream_type = 'task' AND e.stream_id = task_history.task_id
    ORDER BY e.version
$$;
