-- Raises why a task has no row: AN404 for one that never was or went with its agent, AN4GO for what retention removed.
--
--   SELECT missing_task('task-100000001');   -- ERROR:  Task not found: task-100000001

CREATE FUNCTION missing_task(task_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _batch events;
BEGIN
    SELECT r.* INTO _batch FROM removal_of_task(missing_task.task_id) r WHERE r.type = 'retention.applied';
    IF _batch.position IS NULL THEN
        RAISE EXCEPTION 'Task not found: %', missing_task.task_id USING ERRCODE = 'AN404';
    END IF;
    RAISE EXCEPTION 'Task % was removed by retention at %', missing_task.task_id, json_time(_batch.recorded_at)
        USING ERRCODE = 'AN4GO', HINT = format('Its history is kept: SELECT * FROM task_history(%L).', missing_task.task_id);
END $$;
