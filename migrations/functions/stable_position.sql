-- The settled end of the log: no event at or below this position can appear later.
--
-- The head of the sequence is read first, then the lowest fence key among the open appenders; in
-- the other order an appender that starts in between would be missed. A standby sees neither the
-- locks nor the true sequence, so it is refused there.
--
--   SELECT stable_position();

CREATE FUNCTION stable_position() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _head bigint;
    _open bigint;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby cannot tell which positions are settled'
            USING ERRCODE = 'AN409', HINT = 'Read the log on the primary.';
    END IF;
    _head := coalesce(pg_sequence_last_value('events_position'), 0);
    SELECT min((l.classid::bigint & 65535) << 32 | l.objid::bigint) INTO _open
    FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.objsubid = 1
      AND l.classid::bigint >> 16 = fence_tag()
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    RETURN least(_head, coalesce(_open, _head));
END $$;
