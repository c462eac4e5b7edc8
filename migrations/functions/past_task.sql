-- The row of a task as it was at a position, which must be settled: task_at asks that first.
--
-- The row as it is now when nothing changed since, else the fold of the events up to the position; either way with
-- the failed attempts of its webhooks as they were. No row when it was not enqueued yet, or had gone with its agent
-- or by retention.
--
--   SELECT status, attempt FROM past_task('task-100000001', 3);

CREATE FUNCTION past_task(task_id text, "position" bigint) RETURNS SETOF background_tasks
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT (s.task).*
        FROM (SELECT with_webhook_failures(b, past_task."position") AS task FROM background_tasks b
              WHERE b.task_id = past_task.task_id
                AND b.enqueued_position <= past_task."position" AND b.changed_position <= past_task."position" OFFSET 0) s;
    IF FOUND OR was_removed(past_task.task_id, past_task."position") THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT (w.task).*
        FROM (SELECT task_state(e ORDER BY e.version) AS task FROM events e
              WHERE e.stream_type = 'task' AND e.stream_id = past_task.task_id AND e.position <= past_task."position") s
        CROSS JOIN LATERAL (SELECT with_webhook_failures(s.task, past_task."position") AS task OFFSET 0) w
        WHERE (w.task).task_id IS NOT NULL;
END $$;
