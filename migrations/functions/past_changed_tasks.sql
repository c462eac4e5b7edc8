-- Rows as they were at a settled position, of the tasks whose row is another now, or gone: folded from the log.
--
-- With statuses only tasks whose last event that gives a status says one of them are folded; without, all. With
-- newer_than some that were created before are left out (tasks_removed_since).
--
--   SELECT task_id, status FROM past_changed_tasks(3, '{pending,running}');

CREATE FUNCTION past_changed_tasks("position" bigint, statuses text[] DEFAULT NULL, newer_than timestamptz DEFAULT NULL)
RETURNS SETOF background_tasks
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN QUERY
        WITH changed AS (
            SELECT b.task_id FROM background_tasks b
            WHERE past_changed_tasks.statuses IS NULL
              AND b.enqueued_position <= past_changed_tasks."position" AND b.changed_position > past_changed_tasks."position"
            UNION ALL
            SELECT g.task_id FROM tasks_removed_since(past_changed_tasks."position") g WHERE past_changed_tasks.statuses IS NULL
            UNION ALL
            SELECT c.task_id FROM tasks_changed_since(
                past_changed_tasks."position", past_changed_tasks.statuses, past_changed_tasks.newer_than) AS c (task_id)
            WHERE past_changed_tasks.statuses IS NOT NULL
              AND NOT EXISTS (SELECT FROM background_tasks b
                              WHERE b.task_id = c.task_id AND b.changed_position <= past_changed_tasks."position")
              AND (SELECT status_after(e.type) FROM events e
                   WHERE e.stream_type = 'task' AND e.stream_id = c.task_id AND e.position <= past_changed_tasks."position"
                     AND status_after(e.type) IS NOT NULL
                   ORDER BY e.version DESC LIMIT 1) = ANY (past_changed_tasks.statuses))
        SELECT (w.task).*
        FROM changed c
        CROSS JOIN LATERAL (SELECT task_state(e ORDER BY e.version) AS task FROM events e
                            WHERE e.stream_type = 'task' AND e.stream_id = c.task_id
                              AND e.position <= past_changed_tasks."position") s
        CROSS JOIN LATERAL (SELECT with_webhook_failures(s.task, past_changed_tasks."position") AS task OFFSET 0) w
        WHERE (w.task).task_id IS NOT NULL;
END $$;
