-- What tasks did after one position and up to another, by type: created, started, ended, how long they ran and waited.
--
-- Durations and waits are medians and 95th percentiles in milliseconds.
-- From the log alone, so that retention changes nothing. Duration is that of attempts that completed, failed or
-- timed out there; waiting is that of attempts that started there, from when they could have: queued, and due.
-- retry_scheduled are failed attempts that will be tried again, retried is what people retried by hand.
--
--   SELECT task_type, created, completed, failed, duration_p95_ms FROM diff_tasks(0, 1);

CREATE FUNCTION diff_tasks(earlier bigint, later bigint)
RETURNS TABLE (
    task_type text, created bigint, started bigint, completed bigint, failed bigint, timed_out bigint, cancelled bigint,
    retry_scheduled bigint, retried bigint, rescued bigint, snoozed bigint, released bigint,
    duration_p50_ms double precision, duration_p95_ms double precision,
    waiting_p50_ms double precision, waiting_p95_ms double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
BEGIN
    PERFORM require_stretch(diff_tasks.earlier, diff_tasks.later);
    RETURN QUERY
        WITH moves AS MATERIALIZED (
            SELECT e.stream_id, e.type,
                   CASE WHEN e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.retry_scheduled') THEN coalesce(
                       (e.data ->> 'duration_ms')::float8,
                       (SELECT extract(epoch FROM event_time(e) - event_time(s)) * 1000
                        FROM events s
                        WHERE s.stream_type = 'task' AND s.stream_id = e.stream_id AND s.version < e.version
                          AND s.type = 'task.started'
                        ORDER BY s.version DESC LIMIT 1)) END AS duration,
                   CASE WHEN e.type = 'task.started' THEN greatest(0,
                       (SELECT extract(epoch FROM event_time(e) - greatest(event_time(q), (q.data ->> 'run_at')::timestamptz)) * 1000
                        FROM events q
                        WHERE q.stream_type = 'task' AND q.stream_id = e.stream_id AND q.version < e.version
                          AND q.type IN ('task.enqueued', 'task.retry_scheduled', 'task.snoozed', 'task.released',
                                         'task.rescued', 'task.retry_requested')
                        ORDER BY q.version DESC LIMIT 1)) END AS waiting
            FROM events e
            WHERE e.position > diff_tasks.earlier AND e.position <= diff_tasks.later
              AND e.stream_type = 'task' AND e.type <> 'task.progressed')
        SELECT coalesce(b.task_type, (SELECT born.data ->> 'task_type' FROM events born WHERE born.stream_type = 'task'
                                      AND born.stream_id = m.stream_id AND born.version = 1)),
               count(*) FILTER (WHERE m.type = 'task.enqueued'), count(*) FILTER (WHERE m.type = 'task.started'),
               count(*) FILTER (WHERE m.type = 'task.completed'), count(*) FILTER (WHERE m.type = 'task.failed'),
               count(*) FILTER (WHERE m.type = 'task.timed_out'), count(*) FILTER (WHERE m.type = 'task.cancelled'),
               count(*) FILTER (WHERE m.type = 'task.retry_scheduled'), count(*) FILTER (WHERE m.type = 'task.retry_requested'),
               count(*) FILTER (WHERE m.type = 'task.rescued'), count(*) FILTER (WHERE m.type = 'task.snoozed'),
               count(*) FILTER (WHERE m.type = 'task.released'),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY m.duration), percentile_cont(0.95) WITHIN GROUP (ORDER BY m.duration),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY m.waiting), percentile_cont(0.95) WITHIN GROUP (ORDER BY m.waiting)
        FROM moves m
        LEFT JOIN background_tasks b ON b.task_id = m.stream_id
        GROUP BY 1
        ORDER BY 1;
END $$;
