-- The next settled events after a position, in order: what every follower reads.
--
-- Head, locks and events are read by three statements with three snapshots, in this order; inside a
-- REPEATABLE READ transaction all three would share one old snapshot and events could be skipped, so
-- that is refused.
--
--   SELECT position, type, stream_id FROM events_after(0, 100);

CREATE FUNCTION events_after("after" bigint, "limit" integer DEFAULT 1000) RETURNS SETOF events
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _settled bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'events_after needs READ COMMITTED, this transaction is %', current_setting('transaction_isolation')
            USING ERRCODE = 'AN409', HINT = 'Call it outside a REPEATABLE READ or SERIALIZABLE transaction.';
    END IF;
    _settled := stable_position();
    RETURN QUERY
        SELECT e.* FROM events e
        WHERE e.position > events_after."after" AND e.position <= _settled
        ORDER BY e.position
        LIMIT events_after."limit";
END $$;
