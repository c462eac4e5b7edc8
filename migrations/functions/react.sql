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
    _task_type text;
BEGIN
    FOREACH _task_type IN ARRAY ARRAY(SELECT DISTINCT t.task_type FROM unnest(react.transitions) t ORDER BY t.task_type) LOOP
        IF reaction_to(_task_type) IS NOT NULL THEN
            RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', reaction_to(_task_type))
                USING ARRAY(SELECT t FROM unnest(react.transitions) t WHERE t.task_type = _task_type);
        END IF;
    END LOOP;
END $$;
