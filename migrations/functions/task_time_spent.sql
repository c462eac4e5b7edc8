-- Where a task's time went: seconds and share of its life by phase, those that took any.
--
-- waiting_for_time until its first run_at; queued: claimable, and nobody took it; paused: the same while its queue
-- was paused; running; backoff from a failed attempt to the next run_at; snoozed likewise; lost from a dead worker's
-- last sign of life to the rescue; delivering from an end until its webhook was delivered or given up; over from there
-- to the retry by hand. A life begins at the enqueue and goes to the last end, or until that was delivered, else to
-- `at`, or to the time of position `until`. The seconds sum up to it; a webhook sent again later adds nothing.
--
--   SELECT phase, round(seconds::numeric, 3) AS seconds, round(100 * share) AS percent FROM task_time_spent('task-100000001');

CREATE FUNCTION task_time_spent(task_id text, until bigint DEFAULT NULL, at timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (phase text, seconds double precision, share double precision)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF task_time_spent.until IS NOT NULL THEN
        PERFORM require_settled(task_time_spent.until);
    END IF;
    RETURN QUERY
        WITH spells AS (SELECT * FROM task_spells(task_time_spent.task_id, task_time_spent.until, task_time_spent.at)),
        pieces AS (
            SELECT p.phase, p.since, p.until, s.queue
            FROM spells s
            CROSS JOIN LATERAL (VALUES
                (CASE s.began_by WHEN 'task.retry_scheduled' THEN 'backoff' WHEN 'task.snoozed' THEN 'snoozed'
                                 ELSE 'waiting_for_time' END, 'pending', s.began_at, s.turned_at),
                ('queued', 'pending', s.turned_at, s.ended_at),
                ('running', 'running', s.began_at, s.turned_at),
                ('lost', 'running', s.turned_at, s.ended_at),
                ('delivering', 'over', s.began_at, s.turned_at),
                ('over', 'over', s.turned_at, s.ended_at)) AS p (phase, status, since, until)
            WHERE p.status = CASE WHEN s.status IN ('pending', 'running') THEN s.status ELSE 'over' END),
        measured AS (
            SELECT p.phase, extract(epoch FROM p.until - p.since)::float8 AS seconds, z.seconds AS paused
            FROM pieces p
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(extract(epoch FROM greatest(
                    least(p.until, coalesce(q.resumed_at, 'infinity')) - greatest(p.since, q.paused_at), '0'))), 0)::float8 AS seconds
                FROM queue_pauses(p.queue) q WHERE p.phase = 'queued' AND p.until > p.since) z),
        summed AS (
            SELECT m.phase, sum(m.seconds - m.paused) AS seconds FROM measured m GROUP BY m.phase
            UNION ALL
            SELECT 'paused', sum(m.paused) FROM measured m)
        SELECT s.phase, s.seconds, s.seconds / sum(s.seconds) OVER ()
        FROM summed s
        WHERE s.seconds > 0
        ORDER BY array_position('{waiting_for_time,queued,paused,running,backoff,snoozed,lost,delivering,over}'::text[], s.phase);
END $$;
