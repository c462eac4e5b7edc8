-- A fresh task id: task-<number>, or the type's own prefix and a random uuid.
--
-- Numbers come from a sequence: short, ordered (so the indexes grow at their right end) and easy to say
-- aloud. They start at nine digits so that text order is number order.
--
--   SELECT new_task_id(NULL), new_task_id('agent-coverage-');

CREATE FUNCTION new_task_id(prefix text) RETURNS text
LANGUAGE sql VOLATILE
AS $$ SELECT CASE WHEN prefix IS NULL THEN 'task-' || nextval('public.task_number') ELSE prefix || gen_random_uuid() END $$;
