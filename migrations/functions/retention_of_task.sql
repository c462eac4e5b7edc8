-- The retention.applied event that took a task's row, by its position; NULL while there is none.
--
-- Its last event says both: how it ended, and so which kind of row it is, and whether a batch reached that far.
--
--   SELECT retention_of_task('task-100000001');

CREATE FUNCTION retention_of_task(task_id text) RETURNS bigint
LANGUAGE sql STABLE
AS $$
    SELECT batch.position
    FROM (SELECT e.position, e.type FROM public.events e
          WHERE e.stream_type = 'task' AND e.stream_id = retention_of_task.task_id ORDER BY e.version DESC LIMIT 1) last
    JOIN public.retention_whats() w ON w.table_name = 'background_tasks' AND last.type = ANY (w.last_events)
    CROSS JOIN LATERAL public.retention_over(w.what, last.position) AS batch (position)
    WHERE coalesce(public.status_after(last.type),
                   (SELECT public.status_after(e.type) FROM public.events e
                    WHERE e.stream_type = 'task' AND e.stream_id = retention_of_task.task_id
                      AND public.status_after(e.type) IS NOT NULL
                    ORDER BY e.version DESC LIMIT 1)) = ANY (w.statuses)
$$;
