-- The data that every task.enqueued event holds; what only some tasks have is added by draft_tasks.
--
--   SELECT enqueued_data('noop', 'default', 5::smallint, 3::smallint, 300, '{"kind": "none"}', '{"n": 1}');

CREATE FUNCTION enqueued_data(
    task_type text, queue text, priority smallint, max_attempts smallint, timeout_seconds real, backoff jsonb, params jsonb
) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_build_object(
    'task_type', enqueued_data.task_type, 'queue', enqueued_data.queue, 'priority', enqueued_data.priority,
    'max_attempts', enqueued_data.max_attempts, 'timeout_seconds', enqueued_data.timeout_seconds,
    'backoff', enqueued_data.backoff, 'params', enqueued_data.params);
