-- What a person wants to see change between two states of a task: {column: [before, after]}.
--
-- Plumbing (positions, lease, lane) and times that repeat the event's own are left out. From nothing, the
-- columns that hold something; to nothing (the row went with its agent), no column at all. Variables, because
-- the planner would make the row into JSON once for each of its columns.
--
--   SELECT task_changes(NULL, t) FROM background_tasks t WHERE t.task_id = 'task-100000001';

CREATE FUNCTION task_changes(before background_tasks, after background_tasks) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    _plumbing constant text[] := '{task_id, agent_id, lane, version, lease, enqueued_position, queued_position, started_position,
                                   ready_position, changed_position, created_at, started_at, completed_at}';
    _before   constant jsonb  := to_jsonb(task_changes.before) - _plumbing;
    _after    constant jsonb  := to_jsonb(task_changes.after) - _plumbing;
BEGIN
    RETURN coalesce((SELECT jsonb_object_agg(n.key, jsonb_build_array(_before -> n.key, n.value))
                     FROM jsonb_each(_after) n
                     WHERE n.value <> coalesce(_before -> n.key, 'null')
                       AND (_before IS NOT NULL OR n.value NOT IN ('0', 'false'))), '{}');
END $$;
