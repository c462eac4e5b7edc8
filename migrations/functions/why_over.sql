-- When, by whom and why a task ended, and what became of its webhook; or that its row is gone. For why_pending.
--
-- No row for a task that never was.
--
--   SELECT sentence FROM why_over('task-100000001');

CREATE FUNCTION why_over(task_id text, at timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (status text, sentence text, facts jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH state AS (
        SELECT task_state(e ORDER BY e.version) AS task
        FROM events e
        WHERE e.stream_type = 'task' AND e.stream_id = why_over.task_id AND e.type <> 'task.progressed'
        HAVING count(*) > 0),
    ended AS (
        SELECT e.*, (s.task).status, (s.task).attempt, event_reason(e.type, e.data) AS reason
        FROM state s
        CROSS JOIN LATERAL (
            SELECT e.* FROM events e
            WHERE e.stream_type = 'task' AND e.stream_id = why_over.task_id
              AND e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
            ORDER BY e.version DESC LIMIT 1) e
        WHERE (s.task).status NOT IN ('pending', 'running')),
    gone AS (SELECT g.* FROM removal_of_task(why_over.task_id) g)
    SELECT (s.task).status,
           concat_ws(' ',
               CASE WHEN e.position IS NOT NULL THEN format('%s %s ago by %s%s%s.',
                   CASE e.status WHEN 'timeout' THEN 'Timed out' ELSE initcap(e.status) END,
                   spoken_span(extract(epoch FROM why_over.at - e.recorded_at)::float8), e.actor,
                   CASE WHEN e.attempt > 0 THEN format(' on attempt %s', e.attempt) END, ': ' || e.reason) END,
               CASE d.status WHEN 'delivered' THEN 'Its webhook was delivered.'
                             WHEN 'pending' THEN format('Its webhook is on its way: attempt %s%s.', d.attempts + 1,
                                                        ', the last one was ' || coalesce('HTTP ' || d.http_status, d.error))
                             WHEN 'abandoned' THEN format('Its webhook was given up: %s.', d.reason)
                             WHEN 'skipped' THEN format('Its webhook was not sent: %s.', d.reason) END,
               CASE WHEN g.type = 'retention.applied' THEN format(
                        'Its row was removed by retention %s ago; the log tells its life.',
                        spoken_span(extract(epoch FROM why_over.at - g.recorded_at)::float8))
                    WHEN g.position IS NOT NULL THEN format('It is gone: its agent was deleted %s ago by %s.',
                        spoken_span(extract(epoch FROM why_over.at - g.recorded_at)::float8), g.actor)
                    WHEN NOT EXISTS (SELECT FROM background_tasks t WHERE t.task_id = why_over.task_id)
                    THEN 'Its row is no longer kept; the log tells its life.' END),
           jsonb_build_object(
               'ended_at', json_time(e.recorded_at), 'actor', e.actor, 'reason', e.reason, 'attempt', e.attempt, 'position', e.position,
               'gone_at', json_time(g.recorded_at), 'gone_by', g.actor)
    FROM state s
    LEFT JOIN ended e ON true
    LEFT JOIN gone g ON true
    LEFT JOIN webhook_deliveries d ON d.task_id = why_over.task_id AND d.event_position = e.position
$$;
