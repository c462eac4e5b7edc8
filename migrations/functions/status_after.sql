-- The status that an event gives its task; NULL when it leaves it as it was.
--
--   SELECT status_after('task.retry_scheduled');

CREATE FUNCTION status_after(event_type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN event_type = 'task.started' THEN 'running'
    WHEN event_type IN ('task.completed', 'task.failed', 'task.cancelled') THEN substr(event_type, 6)
    WHEN event_type = 'task.timed_out' THEN 'timeout'
    WHEN event_type IN ('task.enqueued', 'task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued',
                        'task.retry_requested') THEN 'pending'
END;
