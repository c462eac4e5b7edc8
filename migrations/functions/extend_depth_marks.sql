-- Writes the next depth marks from at most about `limit` events, and returns the position of the last mark.
--
-- Marks make counts of the past fast, and are never needed for them to be right. One caller at a time works;
-- another one is told how far the marks are. Less than a stretch below the settled end nothing is done.
--
--   SELECT extend_depth_marks();

CREATE FUNCTION extend_depth_marks("limit" integer DEFAULT 20000, spacing integer DEFAULT 2000) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _settled constant bigint := require_settled(stable_position());
    _last    bigint;
BEGIN
    IF coalesce(extend_depth_marks.spacing, 0) < 1 OR coalesce(extend_depth_marks."limit", 0) < extend_depth_marks.spacing THEN
        RAISE EXCEPTION 'a step of % events cannot reach the next mark, % positions on', extend_depth_marks."limit", extend_depth_marks.spacing
            USING ERRCODE = 'AN422', HINT = 'spacing is at least 1, and limit at least spacing.';
    END IF;
    IF pg_try_advisory_xact_lock(hashtext('annals.depth_marks'), 0) THEN
        _last := coalesce((SELECT max(m.position) FROM depth_marks m), 0);
        PERFORM write_depth_marks(coalesce(
            (SELECT e.position FROM events e WHERE e.position > _last AND e.position <= _settled
             ORDER BY e.position OFFSET extend_depth_marks."limit" - 1 LIMIT 1), _settled), extend_depth_marks.spacing);
    END IF;
    RETURN coalesce((SELECT max(m.position) FROM depth_marks m), 0);
END $$;
