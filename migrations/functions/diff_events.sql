-- What else happened between two positions, and who did it: everything but the common events of a task's life.
--
-- Events of tasks (cancelled, retried by hand, rescued, a late report refused, ...) by task type; all others by what
-- they are about (a queue, worker, agent, key, read model; streams of other types are not told apart). reason is
-- that of the last one.
--
--   SELECT what, subject, actor, times, reason FROM diff_events(0, 1);

CREATE FUNCTION diff_events(earlier bigint, later bigint)
RETURNS TABLE (what text, subject text, actor text, times bigint, last_position bigint, last_at timestamptz, reason text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    PERFORM require_stretch(diff_events.earlier, diff_events.later);
    RETURN QUERY
        SELECT e.type, s.subject, e.actor, count(*), max(e.position), max(e.recorded_at),
               (array_agg(e.data ->> 'reason' ORDER BY e.position DESC))[1]
        FROM events e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.stream_type = 'task'
                        THEN coalesce((SELECT b.task_type FROM background_tasks b WHERE b.task_id = e.stream_id),
                                      (SELECT born.data ->> 'task_type' FROM events born WHERE born.stream_type = 'task'
                                       AND born.stream_id = e.stream_id AND born.version = 1))
                        WHEN e.stream_type IN ('queue', 'worker', 'agent', 'key', 'projection') THEN e.stream_id
                        ELSE e.stream_type || '/*' END AS subject) s
        WHERE e.position > diff_events.earlier AND e.position <= diff_events.later
          AND e.type NOT IN (
              'task.enqueued', 'task.started', 'task.progressed', 'task.completed', 'task.failed', 'task.timed_out',
              'task.retry_scheduled', 'task.snoozed', 'task.released')
        GROUP BY e.type, s.subject, e.actor
        ORDER BY e.type, s.subject, e.actor;
END $$;
