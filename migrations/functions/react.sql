-- Asks the reactions of task types what else the transitions cause: the events to append beside them.
--
-- A task type may own a function react_<task_type>(transition[]) RETURNS SETOF event_draft. It is called
-- by every transition of its tasks, whoever makes it, before anything is appended; it locks the rows of
-- its subject and returns events. It may raise only for task.enqueued transitions.
--
--   SELECT * FROM react(ARRAY[('task-1', 'coverage_refresh', 'agent:...', 2, 'task.started', '{}', NULL)]::transition[]);

CREATE FUNCTION react(transitions transition[]) RETURNS SETOF event_draft
LANGUAGE plpgsql AS $$
DECLARE
    _reaction record;
BEGIN
    FOR _reaction IN
        SELECT x.task_type, x.function FROM (
            SELECT DISTINCT t.task_type, to_regproc('react_' || t.task_type) AS function
            FROM unnest(react.transitions) t WHERE t.task_type ~ '^[a-z_][a-z0-9_]*$') x
        WHERE x.function IS NOT NULL ORDER BY x.task_type
    LOOP
        RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', _reaction.function)
            USING ARRAY(SELECT t FROM unnest(react.transitions) t WHERE t.task_type = _reaction.task_type);
    END LOOP;
END $$;
