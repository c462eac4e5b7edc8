-- Tasks by queue, priority class and status as they were at a position of the log, or at a time.
--
-- Pending is one number: which of them were due is a matter of that moment's clock, and tasks_at with
-- '{pending}' tells it (run_at). Fast near depth marks, which the leading relay writes as the log
-- grows (and extend_depth_marks); right without any. A time is written with its type.
--
--   SELECT queue, class, pending, running, failed FROM queue_depth_at(1);
--   SELECT queue, sum(pending) FROM queue_depth_at(now() - interval '1 hour') GROUP BY queue;

CREATE FUNCTION queue_depth_at("position" bigint)
RETURNS TABLE (queue text, class text, paused boolean, pending bigint, running bigint, completed bigint, failed bigint,
               cancelled bigint, timeout bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_settled(queue_depth_at."position");
    RETURN QUERY SELECT * FROM past_queue_depth(queue_depth_at."position");
END $$;

CREATE FUNCTION queue_depth_at("at" timestamptz)
RETURNS TABLE (queue text, class text, paused boolean, pending bigint, running bigint, completed bigint, failed bigint,
               cancelled bigint, timeout bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _position constant bigint := require_settled(position_at(queue_depth_at."at"));
BEGIN
    RETURN QUERY SELECT * FROM past_queue_depth(_position);
END $$;
