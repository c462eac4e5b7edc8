-- Sends a follower back to a position, from which it follows the log anew; returns where it was.
--
-- Without effects, state is built again but nothing is sent twice: the follower stays quiet up to where it
-- was. A leader in the middle of a stretch is refused by its checkpoint and reads it again. The state that the
-- follower built since then is its own to take back in this transaction: `annals relay rewind` does both.
--
--   SELECT rewind_follower('mail', 0, effects => false); -- ERROR: Follower not found: mail

CREATE FUNCTION rewind_follower(
    name       text,
    "position" bigint,
    effects    boolean
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _was bigint;
BEGIN
    SELECT f.position INTO _was FROM followers f WHERE f.name = rewind_follower.name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Follower not found: %', rewind_follower.name
            USING ERRCODE = 'AN404', HINT = 'Those there are: SELECT name FROM followers.';
    ELSIF rewind_follower.position IS NULL OR rewind_follower.position NOT BETWEEN 0 AND _was OR rewind_follower.effects IS NULL THEN
        RAISE EXCEPTION 'follower % is at %, and cannot be rewound to %', rewind_follower.name, _was, rewind_follower.position
            USING ERRCODE = 'AN422', HINT = 'Name a position from 0 to where it is, and effects => true or false.';
    END IF;
    UPDATE followers f
    SET position = rewind_follower.position, moved_at = clock_timestamp(), failures = 0, error = NULL,
        quiet_until = CASE WHEN rewind_follower.effects THEN 0 ELSE greatest(f.quiet_until, _was) END
    WHERE f.name = rewind_follower.name;
    RETURN _was;
END $$;
