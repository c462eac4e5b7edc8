-- Whether a task to enqueue says no more than its type and its params, so that no rule but the catalogue's minds it.
--
--   SELECT is_plain_task('{"task_type": "noop", "params": {"n": 1}}', max_event_bytes());

CREATE FUNCTION is_plain_task(task jsonb, max_bytes integer) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE jsonb_typeof(is_plain_task.task)
    WHEN 'object' THEN is_plain_task.task - ARRAY['task_type', 'params'] = '{}'
        AND coalesce(jsonb_typeof(is_plain_task.task -> 'params'), 'object') = 'object'
        AND pg_column_size(is_plain_task.task) <= is_plain_task.max_bytes
    ELSE false END;
