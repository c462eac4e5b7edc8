-- The rows of background_tasks as they were at a position, which must be settled: tasks_at asks that first.
--
-- Rows that nothing changed since are as they are now; the others are folded.
--
--   SELECT task_id, status FROM past_tasks(3, '{pending,running}');

CREATE FUNCTION past_tasks("position" bigint, statuses text[] DEFAULT NULL) RETURNS SETOF background_tasks
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN QUERY
        SELECT b.* FROM background_tasks b
        WHERE b.enqueued_position <= past_tasks."position" AND b.changed_position <= past_tasks."position"
          AND (past_tasks.statuses IS NULL OR b.status = ANY (past_tasks.statuses)) AND b.webhook_retry_count = 0;
    -- The few that count failed attempts of webhooks, by themselves, and by an index of them: looked at one by one,
    -- all would take twice as long.
    RETURN QUERY
        SELECT (s.task).*
        FROM (SELECT with_webhook_failures(b, past_tasks."position") AS task FROM background_tasks b
              WHERE b.enqueued_position <= past_tasks."position" AND b.changed_position <= past_tasks."position"
                AND (past_tasks.statuses IS NULL OR b.status = ANY (past_tasks.statuses)) AND b.webhook_retry_count > 0 OFFSET 0) s;
    RETURN QUERY SELECT * FROM past_changed_tasks(past_tasks."position", past_tasks.statuses);
END $$;
