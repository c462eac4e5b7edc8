-- What was told of the ends of a task: the events of its deliveries, in order; from the log alone.
--
-- Ids of deliveries follow from the ends that they tell, so they are found without a search, also when their
-- rows are gone.
--
--   SELECT position, type, event_reason(type, data) FROM deliveries_of_task('task-100000001');

CREATE FUNCTION deliveries_of_task(task_id text) RETURNS SETOF events
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
    SELECT told.*
    FROM events ended
    JOIN events told ON told.stream_type = 'webhook' AND told.stream_id = webhook_id(ended)
    WHERE ended.stream_type = 'task' AND ended.stream_id = deliveries_of_task.task_id
      AND ended.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
    ORDER BY told.position
$$;
