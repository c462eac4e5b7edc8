-- How events moved tasks between statuses: for each, -1 for the status it ended and +1 for the one it began.
--
-- Summed over a stretch of the log this is the difference of the counts at its ends. What a task was before
-- follows from the event, except for a retry by hand and an agent's end: there the stream is asked. A batch of
-- retention says itself how many it took of which. The lane of a task never changes, so it is read from the row as it is now, or from task.enqueued when the row is gone.
--
--   SELECT l.queue, c.status, sum(c.tasks) FROM depth_changes(0, 5) c JOIN lanes l ON l.lane = c.lane GROUP BY 1, 2;

CREATE FUNCTION depth_changes("after" bigint, "until" bigint)
RETURNS TABLE ("position" bigint, lane smallint, status text, tasks integer)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH moves AS (
        SELECT e.position, e.stream_id, status_after(e.type) AS became,
               CASE WHEN e.type = 'task.enqueued' THEN NULL
                    WHEN e.type = 'task.started' THEN 'pending'
                    WHEN e.type = 'task.cancelled' AND NOT e.data ? 'attempt' THEN 'pending'
                    WHEN e.type = 'task.retry_requested'
                         THEN (SELECT status_after(x.type) FROM events x
                               WHERE x.stream_type = 'task' AND x.stream_id = e.stream_id AND x.version < e.version
                                 AND status_after(x.type) IS NOT NULL
                               ORDER BY x.version DESC LIMIT 1)
                    ELSE 'running' END AS was
        FROM events e
        WHERE e.position > depth_changes."after" AND e.position <= depth_changes."until"
          AND e.stream_type = 'task' AND status_after(e.type) IS NOT NULL
        UNION ALL
        SELECT gone.position, born.stream_id, NULL, last.status
        FROM events gone
        JOIN events born ON born.type = 'task.enqueued' AND born.data ->> 'subject' LIKE 'agent:%'
                        AND born.data ->> 'subject' = 'agent:' || gone.stream_id AND born.position < gone.position
        CROSS JOIN LATERAL (SELECT status_after(x.type) AS status FROM events x
                            WHERE x.stream_type = 'task' AND x.stream_id = born.stream_id AND x.position < gone.position
                              AND status_after(x.type) IS NOT NULL
                            ORDER BY x.version DESC LIMIT 1) last
        WHERE gone.type = 'agent.deleted'
          AND gone.position > depth_changes."after" AND gone.position <= depth_changes."until"
          AND NOT EXISTS (SELECT FROM events before
                          WHERE before.stream_type = 'agent' AND before.stream_id = gone.stream_id AND before.type = 'agent.deleted'
                            AND before.position > born.position AND before.position < gone.position)
          AND NOT EXISTS (SELECT FROM retention_whats() w
                          CROSS JOIN LATERAL (SELECT x.position FROM events x WHERE x.stream_type = 'task' AND x.stream_id = born.stream_id
                                              ORDER BY x.version DESC LIMIT 1) changed
                          CROSS JOIN LATERAL retention_over(w.what, changed.position) AS batch (position)
                          WHERE w.table_name = 'background_tasks' AND last.status = ANY (w.statuses)
                            AND batch.position < gone.position))
    SELECT m.position, coalesce(b.lane, (
               SELECT l.lane FROM events e
               JOIN lanes l ON l.queue = e.data ->> 'queue' AND l.class = priority_class((e.data ->> 'priority')::smallint)
                           AND l.limit_group = coalesce(e.data ->> 'limit_group', '')
               WHERE e.stream_type = 'task' AND e.stream_id = m.stream_id AND e.version = 1)),
           s.status, s.tasks
    FROM moves m
    LEFT JOIN background_tasks b ON b.task_id = m.stream_id
    CROSS JOIN LATERAL (VALUES (m.was, -1), (m.became, 1)) s (status, tasks)
    WHERE s.status IS NOT NULL
    UNION ALL
    SELECT batch.position, l.lane, c.status, -c.tasks
    FROM events batch
    CROSS JOIN LATERAL jsonb_to_recordset(batch.data -> 'counts') AS c (
        queue text, class smallint, limit_group text, status text, tasks integer)
    JOIN lanes l ON l.queue = c.queue AND l.class = c.class AND l.limit_group = c.limit_group
    WHERE batch.type = 'retention.applied'
      AND batch.position > depth_changes."after" AND batch.position <= depth_changes."until"
$$;
