-- Tasks that may have been in one of these statuses at a position, and whose row is another now, or gone.
--
-- Found by positions, hardly by reading the log: whoever waited or ran was in an attempt that ended later or
-- is still open; what had ended by then was changed by one of a few events. Where retention took the attempt,
-- the log is asked for it. The caller folds them and looks at the status. Scans are off because the planner takes the three positions of an attempt for independent,
-- and expects a good part of the table where a handful of rows is.
--
--   SELECT tasks_changed_since(1, '{running}');

CREATE FUNCTION tasks_changed_since("position" bigint, statuses text[], newer_than timestamptz DEFAULT NULL) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
AS $$
    SELECT a.task_id FROM task_attempts a
    WHERE 'running' = ANY (tasks_changed_since.statuses)
      AND a.started_position <= tasks_changed_since."position" AND a.ended_position > tasks_changed_since."position"
    UNION
    SELECT b.task_id FROM background_tasks b
    WHERE 'running' = ANY (tasks_changed_since.statuses) AND b.status = 'running'
      AND b.started_position <= tasks_changed_since."position" AND b.changed_position > tasks_changed_since."position"
    UNION
    SELECT a.task_id FROM task_attempts a
    WHERE 'pending' = ANY (tasks_changed_since.statuses)
      AND a.queued_position <= tasks_changed_since."position" AND a.started_position > tasks_changed_since."position"
    UNION
    SELECT b.task_id FROM background_tasks b
    WHERE 'pending' = ANY (tasks_changed_since.statuses) AND b.status = 'running'
      AND b.queued_position <= tasks_changed_since."position" AND b.started_position > tasks_changed_since."position"
    UNION
    SELECT b.task_id FROM background_tasks b
    WHERE 'pending' = ANY (tasks_changed_since.statuses) AND b.status = 'pending'
      AND b.queued_position <= tasks_changed_since."position" AND b.changed_position > tasks_changed_since."position"
    UNION
    SELECT e.stream_id FROM events e
    WHERE 'pending' = ANY (tasks_changed_since.statuses)
      AND e.type = 'task.cancelled' AND e.position > tasks_changed_since."position" AND NOT e.data ? 'attempt'
    UNION
    SELECT e.stream_id FROM events e
    WHERE tasks_changed_since.statuses && '{completed,failed,cancelled,timeout}'
      AND e.type IN ('task.retry_requested', 'task.completion_refused', 'task.abandoned')
      AND e.position > tasks_changed_since."position"
    UNION
    SELECT e.stream_id FROM events batch
    CROSS JOIN LATERAL retention_events('attempts', greatest((batch.data ->> 'from_position')::bigint, tasks_changed_since."position"),
                                        (batch.data ->> 'up_to_position')::bigint) e
    WHERE batch.type = 'retention.applied' AND batch.data ->> 'what' = 'attempts' AND batch.position > tasks_changed_since."position"
      AND (batch.data ->> 'up_to_position')::bigint > tasks_changed_since."position"
      AND tasks_changed_since.statuses && '{pending,running}'
    UNION
    SELECT g.task_id FROM tasks_removed_since(tasks_changed_since."position", tasks_changed_since.statuses, tasks_changed_since.newer_than) g
$$;
