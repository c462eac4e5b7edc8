-- What a running task is at: since when, by whom, until when it may, and whether it is asked to stop. For why_pending.
--
--   SELECT w.sentence FROM background_tasks t, why_running(t) w WHERE t.status = 'running';

CREATE FUNCTION why_running(task background_tasks, at timestamptz DEFAULT clock_timestamp()) RETURNS TABLE (sentence text, facts jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH known AS (
        SELECT (why_running.task).*,
               extract(epoch FROM why_running.at - (why_running.task).started_at)::float8 AS seconds,
               (SELECT extract(epoch FROM why_running.at - w.seen_at)::float8
                FROM workers w WHERE w.worker_id = (why_running.task).worker_id) AS silent_seconds)
    SELECT format('Runs for %s on worker %s (attempt %s); its deadline %s%s%s.', spoken_span(k.seconds), k.worker_id, k.attempt,
               CASE WHEN k.seconds > k.timeout_seconds THEN 'passed ' || spoken_span(k.seconds - k.timeout_seconds) || ' ago'
                    ELSE 'is in ' || spoken_span(k.timeout_seconds - k.seconds) END,
               CASE WHEN k.cancellation_requested THEN '; it was asked to stop' END,
               CASE WHEN k.silent_seconds > 60 THEN '; the worker has been silent for ' || spoken_span(k.silent_seconds) END),
           jsonb_build_object(
               'since', json_time(k.started_at), 'seconds', k.seconds, 'worker_id', k.worker_id, 'attempt', k.attempt,
               'max_attempts', k.max_attempts, 'failures', k.failures,
               'deadline_at', json_time(k.started_at + make_interval(secs => k.timeout_seconds)), 'timeout_seconds', k.timeout_seconds,
               'cancellation_requested', k.cancellation_requested, 'worker_silent_seconds', k.silent_seconds,
               'progress_percentage', k.progress_percentage, 'step', k.step)
    FROM known k
$$;
