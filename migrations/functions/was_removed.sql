-- Whether a task's row had gone at a position, with its agent or by retention.
--
--   SELECT was_removed('task-100000001', 1);

CREATE FUNCTION was_removed(task_id text, "position" bigint) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (
        SELECT FROM public.events born
        JOIN public.events gone ON gone.stream_type = 'agent' AND gone.stream_id = substr(born.data ->> 'subject', 7)
        WHERE born.stream_type = 'task' AND born.stream_id = was_removed.task_id AND born.version = 1
          AND born.data ->> 'subject' LIKE 'agent:%' AND gone.type = 'agent.deleted'
          AND gone.position > born.position AND gone.position <= was_removed."position")
        OR coalesce(public.retention_of_task(was_removed.task_id) <= was_removed."position", false)
$$;
