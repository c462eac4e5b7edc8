-- The life of a task from the log: each event, who caused it and why, how long after the one before, what it changed.
--
-- status and attempt are those after the event; changes is {column: [before, after]} (functions/task_changes.sql).
-- It also tells of a task whose row is gone; the end of its agent, when that took the row, is the last line, with
-- neither version nor status. One pass over the stream: the state is folded from event to event, nothing is
-- written. With `until` it ends at a position, which must be settled. No rows for a task that never was.
--
--   SELECT version, type, actor, reason, gap, status, changes FROM task_history('task-100000001');

CREATE FUNCTION task_history(task_id text, until bigint DEFAULT NULL)
RETURNS TABLE ("position" bigint, version integer, type text, actor text, reason text, recorded_at timestamptz, gap interval,
               status text, attempt integer, changes jsonb, data jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    IF task_history.until IS NOT NULL THEN
        PERFORM require_settled(task_history.until);
    END IF;
    RETURN QUERY
        WITH life AS (
            SELECT e.position, e.version, e.type, e.actor, e.recorded_at, e.data, task_state(e) OVER (ORDER BY e.version) AS state
            FROM events e
            WHERE e.stream_type = 'task' AND e.stream_id = task_history.task_id
              AND e.position <= coalesce(task_history.until, e.position)
            UNION ALL
            SELECT g.position, NULL, g.type, g.actor, g.recorded_at, g.data, NULL
            FROM task_gone_with_agent(task_history.task_id) g
            WHERE g.position <= coalesce(task_history.until, g.position))
        SELECT l.position, l.version, l.type, l.actor, event_reason(l.type, l.data), l.recorded_at,
               l.recorded_at - lag(l.recorded_at) OVER by_position, (l.state).status, (l.state).attempt,
               task_changes(lag(l.state) OVER by_position, l.state), l.data
        FROM life l
        WINDOW by_position AS (ORDER BY l.position)
        ORDER BY l.position;
END $$;
