-- Whether tasks to enqueue differ in nothing but their params, and name neither a task_id nor a unique_key.
--
-- What holds for the first then holds for all: enqueue_tasks drafts the first alone and gives the others its draft
-- with their own params. Whatever a rule could say about params alone makes a list unlike. It looks until the
-- first that differs, so that a list of different tasks costs next to nothing here.
--
--   SELECT tasks_alike('[{"task_type": "noop", "params": {"n": 1}}, {"task_type": "noop", "params": {"n": 2}}]');

CREATE FUNCTION tasks_alike(tasks jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    _limit  integer;
    _common jsonb;
BEGIN
    IF jsonb_typeof(tasks_alike.tasks) IS DISTINCT FROM 'array' OR jsonb_typeof(tasks_alike.tasks -> 0) IS DISTINCT FROM 'object'
       OR tasks_alike.tasks -> 0 ?| '{task_id,unique_key}' THEN
        RETURN false;
    ELSIF jsonb_array_length(tasks_alike.tasks) = 1 THEN
        RETURN true;
    END IF;
    _limit := max_event_bytes();
    _common := (tasks_alike.tasks -> 0) - 'params';
    RETURN NOT EXISTS (
        SELECT FROM jsonb_array_elements(tasks_alike.tasks) AS g (task)
        WHERE CASE jsonb_typeof(g.task)
              WHEN 'object' THEN g.task - 'params' <> _common OR jsonb_typeof(g.task -> 'params') <> 'object' OR pg_column_size(g.task) > _limit
              ELSE true END);
END $$;
