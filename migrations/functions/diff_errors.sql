-- Which errors came, stayed and went between two positions, in groups.
--
-- Compared with as many positions before the first: before counts the occurrences there, occurrences those in
-- between. state is new (never seen before), ongoing, or gone quiet (seen in the stretch before, not any more).
-- Counted from the attempts that are kept, as errors_between does.
--
--   SELECT state, task_type, error_type, pattern, before, occurrences FROM diff_errors(0, 1);

CREATE FUNCTION diff_errors(earlier bigint, later bigint)
RETURNS TABLE (
    fingerprint text, task_type text, error_type text, pattern text, frame text, state text,
    before bigint, occurrences bigint, tasks bigint, final bigint, last_task_id text, last_message text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _before constant bigint := 2 * diff_errors.earlier - diff_errors.later;
BEGIN
    PERFORM require_stretch(diff_errors.earlier, diff_errors.later);
    RETURN QUERY
        SELECT g.fingerprint, g.task_type, g.error_type, g.pattern, g.frame,
               CASE WHEN g.occurrences = 0 THEN 'gone quiet' ELSE g.state END,
               n.attempts, g.occurrences, g.tasks, g.final, g.last_task_id, g.last_message
        FROM errors_between(diff_errors.earlier, diff_errors.later) g
        CROSS JOIN LATERAL (
            SELECT count(*) AS attempts FROM task_attempts a
            WHERE a.fingerprint = g.fingerprint AND a.ended_position > _before AND a.ended_position <= diff_errors.earlier) n
        WHERE g.occurrences + n.attempts > 0
        ORDER BY g.occurrences DESC, g.fingerprint;
END $$;
