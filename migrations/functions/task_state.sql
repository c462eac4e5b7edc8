-- The row of background_tasks that events of one task make, taken in the order of their versions.
--
-- An aggregate, so that it gives the state at a position as well as the state after each event. It neither
-- knows of an agent's end, which takes its tasks with it, nor of retention: task_at and tasks_at do.
--
--   SELECT e.version, e.type, (task_state(e) OVER (ORDER BY e.version)).status
--   FROM events e WHERE e.stream_type = 'task' AND e.stream_id = 'task-100000001';

CREATE AGGREGATE task_state(event events) (SFUNC = fold_task, STYPE = background_tasks);
