-- Errors in groups, as they stood at a position: what was seen after one position and up to another, by fingerprint.
--
-- One row for each group seen up to "until". occurrences (attempts that failed), tasks (how many they were), retried
-- and final count what lies in between; first and last are of everything up to "until". state is new (first seen in
-- between), ongoing, or quiet (only seen before). Without positions: everything, and every group is new.
--
-- Counted from the index task_attempts_errors: groups are found by jumping from one fingerprint to the next, so
-- that their number counts and not that of the failures before. pattern and frame come from the event of the last
-- occurrence. An attempt that retention removed, or that went with its agent, counts no more.
--
--   SELECT fingerprint, task_type, occurrences, state FROM errors_between(position_at(now() - interval '1 hour'));

CREATE FUNCTION errors_between("after" bigint DEFAULT 0, until bigint DEFAULT NULL)
RETURNS TABLE (
    fingerprint text, task_type text, error_type text, pattern text, frame text, state text,
    occurrences bigint, tasks bigint, retried bigint, final bigint,
    first_position bigint, first_seen_at timestamptz, last_position bigint, last_seen_at timestamptz,
    last_task_id text, last_attempt integer, last_message text)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
    WITH RECURSIVE bounds AS (
        SELECT coalesce(errors_between."after", 0) AS low, coalesce(errors_between.until, 9223372036854775807) AS high),
    known AS (
        SELECT min(a.fingerprint) AS fingerprint FROM task_attempts a WHERE a.fingerprint IS NOT NULL
        UNION ALL
        SELECT (SELECT min(a.fingerprint) FROM task_attempts a WHERE a.fingerprint > k.fingerprint)
        FROM known k WHERE k.fingerprint IS NOT NULL)
    SELECT k.fingerprint, l.task_type, l.error_type, coalesce(error_pattern(l.error_message), ''),
           error_frame(e.data ->> 'error_traceback'),
           CASE WHEN n.occurrences = 0 THEN 'quiet' WHEN f.ended_position > b.low THEN 'new' ELSE 'ongoing' END,
           n.occurrences, n.tasks, n.retried, n.occurrences - n.retried,
           f.ended_position, f.ended_at, l.ended_position, l.ended_at, l.task_id, l.attempt, l.error_message
    FROM known k
    CROSS JOIN bounds b
    CROSS JOIN LATERAL (
        SELECT a.ended_position, a.ended_at FROM task_attempts a
        WHERE a.fingerprint = k.fingerprint AND a.ended_position <= b.high ORDER BY a.ended_position LIMIT 1) f
    CROSS JOIN LATERAL (
        SELECT a.* FROM task_attempts a
        WHERE a.fingerprint = k.fingerprint AND a.ended_position <= b.high ORDER BY a.ended_position DESC LIMIT 1) l
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.attempts), 0)::bigint AS occurrences, count(*) AS tasks, coalesce(sum(t.retried), 0)::bigint AS retried
        FROM (SELECT count(*) AS attempts, count(*) FILTER (WHERE a.outcome = 'retry_scheduled') AS retried
              FROM task_attempts a
              WHERE a.fingerprint = k.fingerprint AND a.ended_position > b.low AND a.ended_position <= b.high
              GROUP BY a.task_id) t) n
    LEFT JOIN events e ON e.position = l.ended_position
$$;
