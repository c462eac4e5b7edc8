-- Whether a task's agent had been deleted, and the task with it, at a position.
--
--   SELECT went_with_agent('task-100000001', 1);

CREATE FUNCTION went_with_agent(task_id text, "position" bigint) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (
        SELECT FROM public.events born
        JOIN public.events gone ON gone.stream_type = 'agent' AND gone.stream_id = substr(born.data ->> 'subject', 7)
        WHERE born.stream_type = 'task' AND born.stream_id = went_with_agent.task_id AND born.version = 1
          AND born.data ->> 'subject' LIKE 'agent:%' AND gone.type = 'agent.deleted'
          AND gone.position > born.position AND gone.position <= went_with_agent."position")
$$;
