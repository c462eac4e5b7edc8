-- The table background_tasks as it was at a position of the log, or at a time; with statuses, only those.
--
-- The whole table takes as long as there are rows: ask for statuses, or for a page (tasks_page_at), where
-- that is enough. A time is written with its type. Refuses positions that are not settled.
--
--   SELECT task_id, worker_id, started_at FROM tasks_at(1, '{running}');
--   SELECT status, count(*) FROM tasks_at(now() - interval '1 hour') GROUP BY status;

CREATE FUNCTION tasks_at("position" bigint, statuses text[] DEFAULT NULL) RETURNS SETOF background_tasks
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_settled(tasks_at."position");
    RETURN QUERY SELECT * FROM past_tasks(tasks_at."position", tasks_at.statuses);
END $$;

CREATE FUNCTION tasks_at("at" timestamptz, statuses text[] DEFAULT NULL) RETURNS SETOF background_tasks
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _position constant bigint := require_settled(position_at(tasks_at."at"));
BEGIN
    RETURN QUERY SELECT * FROM past_tasks(_position, tasks_at.statuses);
END $$;
