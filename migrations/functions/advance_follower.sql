-- Moves a follower's checkpoint, first in the transaction of its effect.
--
-- The guard is expected: of two who did the same stretch one is refused with AN409, and its effects are rolled
-- back with it. A checkpoint never moves back (relay rewind does that, knowingly): stable_position() may step
-- back for a moment. relay_id and term prove that the caller leads.
--
--   SELECT advance_follower('mail', 0, 10, 'relay-1', 1); -- ERROR: does not lead

CREATE FUNCTION advance_follower(name text, expected bigint, reached bigint, relay_id text, term bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF num_nulls(advance_follower.expected, advance_follower.reached) > 0 OR advance_follower.reached < advance_follower.expected THEN
        RAISE EXCEPTION 'a checkpoint moves forward, not from % to %', advance_follower.expected, advance_follower.reached
            USING ERRCODE = 'AN422', HINT = 'Going back is rewind_follower.';
    END IF;
    PERFORM require_lease(advance_follower.relay_id, advance_follower.term);
    UPDATE followers f
    SET position = advance_follower.reached, moved_at = clock_timestamp(), failures = 0, error = NULL
    WHERE f.name = advance_follower.name AND f.position = advance_follower.expected;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'follower % is not at position %', advance_follower.name, advance_follower.expected
            USING ERRCODE = 'AN409', HINT = 'Read its checkpoint again: SELECT * FROM followers.';
    END IF;
END $$;
