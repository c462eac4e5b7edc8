-- The function react_<task_type> by which a task type learns of its tasks' transitions; NULL when it has none.
--
--   SELECT reaction_to('coverage_refresh');

CREATE FUNCTION reaction_to(task_type text) RETURNS regproc
LANGUAGE sql STABLE
RETURN CASE WHEN reaction_to.task_type ~ '^[a-z_][a-z0-9_]*$' THEN to_regproc('react_' || reaction_to.task_type) END;
