-- A task as it was at a position of the log, or at a time.
--
-- No row when there was none: the task was not enqueued yet, or had gone with its agent or by retention
-- (task_history tells which). Tasks that are gone now are found too. A time is written with its type, because a
-- bare text could also be a position. Refuses positions that are not settled, and REPEATABLE READ.
--
--   SELECT status, attempt, worker_id FROM task_at('task-100000001', 1);
--   SELECT status, attempt, worker_id FROM task_at('task-100000001', now() - interval '1 minute');

CREATE FUNCTION task_at(task_id text, "position" bigint) RETURNS SETOF background_tasks
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_settled(task_at."position");
    RETURN QUERY SELECT * FROM past_task(task_at.task_id, task_at."position");
END $$;

CREATE FUNCTION task_at(task_id text, "at" timestamptz) RETURNS SETOF background_tasks
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _position constant bigint := require_settled(position_at(task_at."at"));
BEGIN
    RETURN QUERY SELECT * FROM past_task(task_at.task_id, _position);
END $$;
